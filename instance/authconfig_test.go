package instance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// signInFile is the least of a configuration with a sign-in.
const signInFile = `
listen: ":8080"
public_url: https://dagwright.example.com
auth:
  oidc: {issuer: "https://keycloak.example.com/realms/platform", client_id: dagwright}
  key_file: key
  rules: [{groups: [admins], role: admin}]
`

// besideAuth is the rest of the file.
var besideAuth = strings.Replace(minimalConfig, "auth: none\n", "", 1)

func TestAuthConfig(t *testing.T) {
	t.Parallel()
	c, fault := readConfig(t, besideAuth+signInFile)
	if fault != "" {
		t.Fatal(fault)
	}
	if c.Auth.OIDC.ClientID != "dagwright" || c.Auth.None {
		t.Errorf("read as %+v", c.Auth)
	}
	for name, test := range map[string]struct{ text, want string }{
		"nothing":           {"", `auth: want a section with oidc (docs/auth.md shows one), or in words "none"`},
		"a word":            {"auth: maybe", `auth: want "none", or a section with oidc`},
		"false":             {"auth: false", `auth: want "none", or a section with oidc`},
		"none to the world": {"auth: none\nlisten: \":8080\"", "is not a loopback address, and auth is none"},
		"an empty section":  {"auth: {}", "auth: want a section with oidc"},
		"unknown key": {strings.Replace(signInFile, "key_file", "keyfile", 1),
			`unknown key "keyfile"; did you mean "key_file"?`},
		"unknown key below": {strings.Replace(signInFile, "client_id", "client", 1), `unknown key "client"`},
		"no key": {strings.Replace(signInFile, "  key_file: key\n", "", 1),
			"auth.key_file: want a file with a key"},
		"no rules": {strings.Replace(signInFile, "  rules: [{groups: [admins], role: admin}]\n", "", 1),
			"auth: want exactly one of rules_file and rules"},
		"two rules": {signInFile + "  rules_file: x\n", "auth: want exactly one of rules_file and rules"},
		"a broken rule": {strings.Replace(signInFile, "role: admin", "role: root", 1),
			`auth.yml:14:36: auth.rules[0].role: "root" is not a role`},
		"no address": {strings.Replace(signInFile, "public_url: https://dagwright.example.com\n", "", 1),
			"public_url: want the address by which people reach the pages"},
		"http to the world": {strings.Replace(signInFile, "https://dagwright", "http://dagwright", 1),
			"public_url: want https"},
		"a path": {strings.Replace(signInFile, "dagwright.example.com", "example.com/dagwright", 1),
			"public_url: want an address without a path"},
		"an issuer over http": {strings.Replace(signInFile, "https://keycloak", "http://keycloak", 1),
			"auth.oidc.issuer: want https"},
		"half a certificate": {signInFile + "tls: {cert_file: x}\n", "tls: want both cert_file and key_file"},
		"a proxy": {signInFile + "  trusted_proxies: [ingress]\n",
			`auth.trusted_proxies: "ingress" is neither an address`},
	} {
		if _, fault := readConfig(t, besideAuth+test.text); !strings.Contains(strings.ReplaceAll(fault, "FILE", "auth.yml"),
			test.want) {
			t.Errorf("%s: %q, want %q", name, fault, test.want)
		}
	}
}

// TestCertificateIsReadAgain replaces a certificate while it is in use.
func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := tlsConfig{CertFile: filepath.Join(dir, "crt"), KeyFile: filepath.Join(dir, "key")}
	if _, err := c.wrap(listenLocal(t)); err == nil {
		t.Fatal("a certificate that is not there was read")
	}
	writeCertificate(t, c, 1)
	l, err := c.wrap(listenLocal(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	serial := func() int64 {
		t.Helper()
		go func() {
			if conn, err := l.Accept(); err == nil {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			}
		}()
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec,noctx // it is the certificate that is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d, want 1", got)
	}
	writeCertificate(t, c, 2)
	if got := serial(); got != 2 {
		t.Errorf("certificate %d, want 2", got)
	}
	if err := os.WriteFile(c.CertFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("with half a file, certificate %d, want 2", got)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err != nil { //nolint:noctx // is closed by its end
		t.Error(err)
	}
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // takes no time
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func writeCertificate(t *testing.T, c tlsConfig, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{c.KeyFile: {Type: "PRIVATE KEY", Bytes: private},
		c.CertFile: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A file system's clock may be coarse.
	at := time.Now().Add(time.Duration(serial) * time.Second)
	if err := os.Chtimes(c.CertFile, at, at); err != nil {
		t.Fatal(err)
	}
}
