package dag

import (
	"crypto/sha1"
	"fmt"
	"math"
	"math/big"
	"time"
)

// maxRetryDelay is Airflow's own ceiling for a delay that grows
// (MAX_RETRY_DELAY).
const maxRetryDelay = 24 * time.Hour

// RetryDelay is how long to wait after the given try (counted from 1) failed.
// Without back-off it is the task's RetryDelay. With it the delay grows as in
// Airflow: RetryDelay × RetryBackoff^(try-1), rounded up to whole seconds and at
// least one, plus up to as much again by a hash of (DAG, task, run, try), so that
// tasks which failed together do not come back together; then capped by 24 hours
// and by the task's MaxRetryDelay. The same arguments always give the same delay.
func RetryDelay(t *Task, dag ID, run RunID, try int) time.Duration {
	if t.RetryBackoff <= 0 || t.RetryBackoff == 1 {
		return t.RetryDelay
	}
	ceiling := maxRetryDelay
	if t.MaxRetryDelay > 0 {
		ceiling = min(ceiling, t.MaxRetryDelay)
	}
	grown := math.Ceil(t.RetryDelay.Seconds() * math.Pow(t.RetryBackoff, float64(max(try, 1)-1)))
	// Written so that an overflow to infinity ends here too.
	if !(grown < maxRetryDelay.Seconds()) {
		return ceiling
	}
	seconds := max(int64(grown), 1)
	seconds += jitter(t.ID, dag, run, try, seconds)
	return min(time.Duration(seconds)*time.Second, ceiling)
}

// jitter is a number of seconds in [0, below) that depends on its arguments
// only.
func jitter(task TaskID, dag ID, run RunID, try int, below int64) int64 {
	sum := sha1.Sum(fmt.Appendf(nil, "%s#%s#%s#%d", dag, task, run, try))
	n := new(big.Int).SetBytes(sum[:])
	return n.Mod(n, big.NewInt(below)).Int64()
}
