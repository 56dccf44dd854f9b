// Package gitlab is what dagwright knows of GitLab: how to read a push event
// ([ParsePush]) and check who sent it ([Verifier]), how to build one
// ([NewPushRequest]), and the few calls of GitLab's REST API that the generator
// needs ([Client]).
//
// Push events come from outside and may be 25 MB large. They are read as a
// stream that keeps only the fields of [Push].
package gitlab
