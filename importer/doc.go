// Package importer makes specs, or a model's file, from the Python DAG files of an Airflow.
// It never imports or runs them: a small program in Python reads their syntax tree, evaluates
// what is constant within bounds, and says which DAGs, tasks and dependencies there would be.
// Only where an Airflow is named ([Importer].Airflow) does that run them, and say what it built.
// This package says the same in dag-factory's dialect.
//
// What a spec can say is decided in one place, the parser of specs ([dag.Parser]): what it
// refuses is left out and reported with the line of the Python file.
package importer
