// Package migrations holds the database schema as goose migrations, one folder
// for each database. Both folders hold the same versions with the same tables
// and columns; they differ in how a number is generated and in the collation
// of names, which must sort by bytes.
//
// A migration that was released is never edited: a change of the schema is a
// new file in both folders.
package migrations

import "embed"

// SQLite and Postgres hold the migrations in the folder of that name.
var (
	//go:embed sqlite/*.sql
	SQLite embed.FS
	//go:embed postgres/*.sql
	Postgres embed.FS
)
