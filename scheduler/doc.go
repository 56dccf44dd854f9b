// Package scheduler watches the DAG repository and runs what it finds there.
//
// It has three parts that meet in the store:
//
//   - sync reads changed spec files and saves the DAGs (sync.go);
//   - plan decides, as a pure function of a snapshot, the attempts' events and
//     the time, what happens next (plan.go and the files beside it);
//   - the loop calls plan inside one store transaction, then starts and stops
//     attempts as the transaction says (scheduler.go, dispatch.go).
//
// Nothing ticks. The loop looks at a DAG when something about it changed, when
// an attempt of it reports, or when the time comes that its last plan named:
//
//	change feed ─┐
//	executor ────┼─► loop ─► store.Advance(plan) ─► executor.Start / Stop
//	timers ──────┘     ▲                                 │
//	                   └──────── attempt events ─────────┘
//
// Since an attempt is written down before it is started, and an executor
// starts an attempt at most once, a crash at any point neither loses nor
// doubles one: [Scheduler.Run] first matches what the store holds with what
// the executor finds, and goes on from there.
package scheduler
