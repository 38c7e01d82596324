package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// entry returns one entry of the Secret: a variable of the environment, or a file below SERVICE_BINDING_ROOT.
func entry(name string) string {
	if value, found := os.LookupEnv("REDIS_" + strings.ToUpper(name)); found {
		return value
	}
	content, err := os.ReadFile(filepath.Join(os.Getenv("SERVICE_BINDING_ROOT"), "orders", name))
	if err != nil {
		panic(err)
	}
	return string(content)
}

func address() string { return entry("host") + ":" + entry("port") }

func database() int {
	number, err := strconv.Atoi(entry("database"))
	if err != nil {
		panic(err)
	}
	return number
}

// marker is what the client has to write and to read again.
func marker() string { return os.Getenv("MARKER") }
