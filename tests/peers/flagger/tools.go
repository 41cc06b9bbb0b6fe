//go:build tools

// Package tools names the controller of Flagger, so that go.mod and go.sum hold what it is built from.
package tools

import _ "github.com/fluxcd/flagger/cmd/flagger"
