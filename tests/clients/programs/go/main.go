// clients runs one client: `clients CLIENT MODULE`. It prints one line of JSON: the version, and the error if there was one.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return ""
}

func run(name string) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return clients[name]()
}

func main() {
	report := map[string]string{"version": version(os.Args[2])}
	err := run(os.Args[1])
	if err != nil {
		report["error"] = err.Error()
	}
	line, _ := json.Marshal(report)
	fmt.Println(string(line))
	if err != nil {
		os.Exit(1)
	}
}
