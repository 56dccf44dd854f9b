// A real browser signs people in over a real Keycloak: every role and none, wrong
// passwords, refreshes with rotation, logout from either side, tokens.
//
//	KEYCLOAK='{"keycloak": URL, "realm": …, …}' node keycloak.mjs URL
import assert from "node:assert/strict";
import { button, done, expected, newPage, shot, url } from "./browser.mjs";

const { keycloak, realm, user, adminPassword, password } = JSON.parse(process.env.KEYCLOAK);
// What refusals look like to a browser, and what Keycloak's own pages complain of.
expected.push("status of 40", "status of 503", keycloak);

const form = (values) => ({ method: "POST", body: new URLSearchParams(values) });

// admin asks Keycloak's administration, whose tokens live for a minute.
async function admin(method, path) {
  const { access_token: token } = await (await fetch(`${keycloak}/realms/master/protocol/openid-connect/token`,
    form({ grant_type: "password", client_id: "admin-cli", username: user, password: adminPassword }))).json();
  const answer = await fetch(`${keycloak}/admin/realms/${realm}${path}`, { method, headers: { Authorization: `Bearer ${token}` } });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}
const userID = async (name) => (await admin("GET", `/users?exact=true&username=${name}`))[0].id;

// signIn signs somebody in from the page that they wanted to see.
async function signIn(page, name, path = "/models") {
  await page.goto(url + path);
  assert.equal(new URL(page.url()).pathname, "/login");
  await button(page, "Sign in with okta").click();
  await page.fill("#username", name);
  await page.fill("#password", password);
  await Promise.all([page.waitForURL((u) => u.href.startsWith(url)), page.click("#kc-login")]);
}

// ask sends a request as the page does, and gives its status.
const ask = (page, method, path) => page.evaluate(async ([m, p]) => (await fetch(p, { method: m, redirect: "manual", headers: { Accept: "text/plain" },
  body: m === "POST" ? new URLSearchParams({ paused: "true" }) : undefined })).status, [method, path]);
const me = (page) => page.evaluate(async () => (await fetch("/api/v2/me")).json());

async function until(what, condition) {
  for (let i = 0; i < 60; i++) {
    if (await condition()) return;
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  }
  assert.fail(`in 15 seconds: ${what}`);
}

// A wrong password signs nobody in.
const vera = await newPage();
await vera.goto(`${url}/dags/churn/graph?run=x`);
await shot(vera, "login");
await button(vera, "Sign in with okta").click();
await vera.fill("#username", "vera");
await vera.fill("#password", "wrong");
await vera.click("#kc-login");
await vera.getByText("Invalid username or password").waitFor();
assert.ok(vera.url().startsWith(keycloak));
await vera.fill("#password", password);
await Promise.all([vera.waitForURL((u) => u.href.startsWith(url)), vera.click("#kc-login")]);
assert.equal(vera.url(), `${url}/dags/churn/graph?run=x`, "back where one wanted to go");

// Each role may do what is its own, and no more.
const olga = await newPage();
const ada = await newPage();
const nick = await newPage();
await signIn(olga, "olga");
await signIn(ada, "ada");
await signIn(nick, "nick");
await until("the DAG is loaded", async () => (await ask(ada, "GET", "/dags/churn/details")) === 200);
assert.deepEqual([(await me(vera)).role, (await me(olga)).role, (await me(ada)).role], ["viewer", "operator", "admin"]);
const acts = ["/dags/churn/pause", "/dags/churn/delete"];
for (const [page, want] of [[vera, [403, 403]], [olga, [204, 403]], [ada, [204, 204]]]) {
  const got = [];
  for (const path of acts) got.push(await ask(page, "POST", path));
  assert.deepEqual(got, want);
}
for (const [page, want] of [[vera, 200], [olga, 200], [ada, 200]]) assert.equal(await ask(page, "GET", "/api/v2/dags"), want);
assert.equal(new URL(nick.url()).pathname, "/login");
await nick.getByText("you have no role here").waitFor();
await shot(nick, "no-role");
assert.equal(await ask(nick, "GET", "/api/v2/dags"), 403);

// The cookie is out of reach of scripts, and of other sites.
const [cookie] = (await olga.context().cookies(url)).filter((c) => c.name.endsWith("session"));
assert.deepEqual([cookie.httpOnly, cookie.sameSite, cookie.path], [true, "Lax", "/"]);
assert.ok(!(await olga.evaluate(() => document.cookie)).includes("session"));

// Refreshes rotate their token: the session outlives many of them.
for (let i = 0; i < 4; i++) {
  await olga.waitForTimeout(1100);
  assert.equal(await ask(olga, "GET", "/models"), 200, "the session lives on after a refresh");
}

// Somebody who is taken out of a group loses the role, without signing in again.
const [group] = (await admin("GET", "/groups?search=ml-operators"));
await admin("DELETE", `/users/${await userID("olga")}/groups/${group.id}`);
await until("the role is lost", async () => (await ask(olga, "POST", "/dags/churn/pause")) === 403);
assert.equal(await ask(olga, "GET", "/api/v2/dags"), 403);

// A token is shown once, and acts as its owner.
await ada.goto(`${url}/tokens`);
await ada.fill("[name=name]", "nightly");
await ada.selectOption("[name=role]", "viewer");
await button(ada, "Create token").click();
const secret = await ada.locator("#token").textContent();
const bearer = { Authorization: `Bearer ${secret}` };
const who = await (await fetch(`${url}/api/v2/me`, { headers: bearer })).json();
assert.deepEqual(who, { name: "ada", via: "token", role: "viewer", instance_role: "viewer" });
await shot(ada, "tokens");

// The command line signs in by the device flow, and presents the access token.
const config = await (await fetch(`${url}/auth/config`)).json();
const discovery = await (await fetch(`${config.issuer}/.well-known/openid-configuration`)).json();
const device = await (await fetch(discovery.device_authorization_endpoint, form({ client_id: config.client_id, scope: config.scopes.join(" ") }))).json();
await ada.goto(device.verification_uri_complete);
await ada.locator("[name=accept]").click();
await ada.getByText("Device Login Successful").waitFor();
const granted = await (await fetch(discovery.token_endpoint,
  form({ grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: config.client_id, device_code: device.device_code }))).json();
const cli = await (await fetch(`${url}/api/v2/me`, { headers: { Authorization: `Bearer ${granted.access_token}` } })).json();
assert.deepEqual(cli, { name: "ada", via: "oidc", role: "admin", instance_role: "admin" });
const refused = await fetch(`${url}/api/v2/me`, { headers: { Authorization: `Bearer ${granted.refresh_token}` } });
assert.equal(refused.status, 401, "a refresh token is not an access token");

// Signing out here signs out there: the next sign-in asks for the password.
await vera.goto(`${url}/models`);
await vera.locator("details.menu summary").click();
await Promise.all([vera.waitForURL(`${url}/login`), button(vera, "Sign out").click()]);
await button(vera, "Sign in with okta").click();
await vera.locator("#password").waitFor();

// Signing out there signs out here.
await ada.goto(`${url}/sessions`);
await ada.getByText("this session").waitFor();
await shot(ada, "sessions");
const start = Date.now();
await admin("POST", `/users/${await userID("ada")}/logout`);
await until("the session ends", async () => (await ask(ada, "GET", "/models")) === 401);
console.log(`back-channel logout: ${Date.now() - start} ms`);
await done();
