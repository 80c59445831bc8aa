//go:build tools

// Package tools names the program that this module pins for Biplane's tests.
package tools

import _ "github.com/opentofu/opentofu/cmd/tofu"
