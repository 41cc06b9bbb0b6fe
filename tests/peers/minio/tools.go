//go:build tools

// Package tools names the object storage, so that go.mod and go.sum hold what it is built from.
package tools

import _ "github.com/minio/minio"
