package main

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const maxProgram = 8 << 20

// copyModule copies the sources to another place, under another name.
func copyModule(t *testing.T, to string) {
	t.Helper()
	must(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || strings.HasSuffix(path, "_test.go") {
			return err
		}
		target := filepath.Join(to, path)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, info.Mode())
	}))
}

func TestTwoBuildsInDifferentPlacesAreEqual(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds for both platforms, twice")
	}
	var results []map[string][]byte
	for _, name := range []string{"one", "another/place"} {
		module := filepath.Join(t.TempDir(), name)
		copyModule(t, module)
		out := filepath.Join(t.TempDir(), "out")
		build := exec.Command("sh", module+"/build.sh", out)
		build.Dir = "/"
		if name != "one" {
			// What somebody may have set for other programs.
			build.Env = append(os.Environ(), "GOEXPERIMENT=no-such-experiment", "GOTOOLCHAIN=go1.0.1", "GOFLAGS=-race", "GOAMD64=v3", "GO111MODULE=off", "CGO_ENABLED=1")
		}
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		result := map[string][]byte{}
		for _, file := range []string{"linux-amd64/resident", "linux-arm64/resident", "SHA256SUMS"} {
			content, err := os.ReadFile(filepath.Join(out, file))
			must(t, err)
			result[file] = content
			if bytes.Contains(content, []byte(module)) {
				t.Errorf("%s has the place where it was built", file)
			}
		}
		results = append(results, result)
	}
	for file, content := range results[0] {
		if !bytes.Equal(content, results[1][file]) {
			t.Errorf("%s differs", file)
		}
	}
	for file, machine := range map[string]elf.Machine{"linux-amd64/resident": elf.EM_X86_64, "linux-arm64/resident": elf.EM_AARCH64} {
		content := results[0][file]
		program, err := elf.NewFile(bytes.NewReader(content))
		must(t, err)
		if libraries, _ := program.ImportedLibraries(); program.Machine != machine || len(libraries) != 0 || program.Section(".interp") != nil {
			t.Errorf("%s is for %s, with %v", file, program.Machine, libraries)
		}
		if len(content) > maxProgram {
			t.Errorf("%s has %d bytes", file, len(content))
		}
	}
}
