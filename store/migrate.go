package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// schema is the migrations of one kind of database.
type schema struct {
	dialect goose.Dialect
	files   embed.FS
	dir     string
	options []goose.ProviderOption
}

// migrate brings the database's schema up to date. A database that was
// migrated by a newer dagwright is refused: this one would not know what its
// tables mean.
func migrate(ctx context.Context, db *sql.DB, s schema, log *slog.Logger) error {
	dir, err := fs.Sub(s.files, s.dir)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	options := append([]goose.ProviderOption{
		goose.WithSlog(log), goose.WithDisableGlobalRegistry(true),
	}, s.options...)
	p, err := goose.NewProvider(s.dialect, db, dir, options...)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	for try := 1; ; try++ {
		current, newest, err := p.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read schema version: %w", err)
		}
		if current > newest {
			return fmt.Errorf(
				"the database has schema version %d, made by a newer dagwright; this one knows versions up to %d: start the newer dagwright, or open another database",
				current, newest)
		}
		if current == newest {
			return nil
		}
		// SQLite has no lock around a migration as a whole. When another process
		// migrates at the same time one of the two fails, and finds it done.
		if _, err := p.Up(ctx); err != nil && try == migrateTries {
			return fmt.Errorf("migrate database: %w", err)
		}
	}
}

// migrateTries bounds how often migrating is tried.
const migrateTries = 5
