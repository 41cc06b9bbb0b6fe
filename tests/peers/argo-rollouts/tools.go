//go:build tools

// Package tools names the controller, so that go.mod and go.sum hold what it is built from.
package tools

import _ "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"
