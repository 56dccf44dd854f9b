// Package api is dagwright's REST interface, shaped as Airflow 3.3's API v2, so
// that scripts and clients written for Airflow work against dagwright.
//
// Paths, field names, nulls, status codes and error bodies are Airflow's. What
// dagwright adds is few and named here:
//
//   - runs and task instances carry "reason": why the state is what it is, in
//     words, and "reason_code" and "reason_args", of which the words are made; null
//     when there is nothing to say;
//   - POST …/dagRuns understands "unpause": true, which also un-pauses the DAG,
//     and a null "logical_date" means now: a manual run always has a date;
//   - GET …/logs/{try} understands "follow=true" (NDJSON) and the media type
//     text/event-stream, and then sends the log as it grows, until it is
//     complete;
//   - GET /changes streams what is committed, to whoever may see it;
//   - DELETE /dags/{dag_id} asks for the removal of the DAG's file from the DAG
//     repository. Only a DAG whose file is gone is deleted with its history.
//
// What dagwright cannot do is refused, never ignored: an unknown query
// parameter is a 400 that names it. Each route says what it takes and answers, and
// the OpenAPI document is made from that.
//
// Times are RFC 3339 in UTC, with microseconds where there are some. A page
// holds 50 entries unless "limit" says otherwise and never more than 100.
package api
