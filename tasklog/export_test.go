package tasklog

import (
	"context"
	"errors"
)

// AskOnce makes each request to a bucket once only.
func AskOnce() { attempts = 1 }

// OpenStill is Open with nothing that runs beside the callers: Ship and Sweep
// do it.
func OpenStill(c Config) (*Dir, error) { return open(c) }

// Ship uploads all that is due, and more if more becomes due by it.
func (d *Dir) Ship(ctx context.Context) error {
	if d.shipper == nil {
		return nil
	}
	for {
		logs := d.shipper.due(d.config.Now())
		if len(logs) == 0 {
			return nil
		}
		var errs []error
		for _, l := range logs {
			err := d.shipper.step(ctx, l)
			d.shipper.done(l, nil) // no pauses
			errs = append(errs, err)
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
}

// TakeBack looks for chunks whose log is not in the spool.
func (d *Dir) TakeBack(ctx context.Context) error { return d.shipper.takeBack(ctx) }

// Sweep removes what is too old.
func (d *Dir) Sweep(ctx context.Context) error { return (&sweeper{Dir: d}).sweep(ctx) }

// Crash ends what runs beside the callers without another upload.
func (d *Dir) Crash() error {
	d.cancel()
	d.beside.Wait()
	d.bucket.close()
	return nil
}

// ParseAddress returns the place that a bucket's URL names, for people.
func ParseAddress(text string) (string, error) {
	a, err := parseAddress(text)
	return a.String(), err
}
