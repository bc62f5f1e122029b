package rundir

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
)

// Self is the running file, also when another file has its name by now.
const Self = "/proc/self/exe"

// OwnDigest is the SHA-256 of the running file in hex.
func OwnDigest() (string, error) {
	file, err := os.Open(Self)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Short is the part of a digest that stands in names.
func Short(digest string) string { return digest[:12] }
