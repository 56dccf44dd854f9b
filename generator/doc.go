// Package generator turns recorded pushes of model repositories into commits of
// the DAG repository: it reads the model's file at the pushed commit
// ([ParseModel]), renders the DAG's spec from a template ([Render]), and pushes
// what has changed ([Generator]).
//
// The rendering is pure: the same commit, template and settings give the same
// bytes, so that rendering again makes no commit. A spec that cannot be loaded,
// or that defines another DAG than the one asked for, is never pushed.
package generator
