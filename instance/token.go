package instance

import (
	"context"
	"time"
)

const (
	// tokenEvery is how often GitLab is asked when its token expires, and tokenAgain the
	// pause after it did not say.
	tokenEvery = 6 * time.Hour
	tokenAgain = 15 * time.Minute
)

// watchToken asks GitLab when its token expires, until ctx ends, and says so in the log 30,
// 7 and 1 days before. Nothing else warns of it: from that day on GitLab refuses everything.
func (a *Instance) watchToken(ctx context.Context) error {
	warned := 0
	for {
		pause := tokenEvery
		at, err := a.GitLab.Client.TokenExpiry(ctx)
		if err != nil {
			// A token of a kind that cannot ask about itself, too.
			a.Logger.Debug("GitLab does not say when its token expires", "err", err)
			pause = tokenAgain
		} else {
			a.Metrics.TokenExpires(at)
			warned = a.warnOfToken(at, time.Now(), warned)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// warnOfToken warns when fewer days are left than were warned of last (0 for never), and
// returns what to hand in the next time.
func (a *Instance) warnOfToken(at, now time.Time, warned int) int {
	if at.IsZero() {
		return 0
	}
	left := at.Sub(now)
	for _, days := range []int{1, 7, 30} {
		if left > time.Duration(days)*24*time.Hour {
			continue
		}
		if warned == 0 || days < warned {
			a.Logger.Warn("GitLab's token expires soon: make another one and write it to gitlab.token_file",
				"expires", at, "days", int(left.Hours()/24))
		}
		return days
	}
	return 0
}
