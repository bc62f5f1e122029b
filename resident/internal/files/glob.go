package files

import (
	"path/filepath"
	"regexp"
	"strings"

	"agentcontainers/resident/internal/fault"
)

const maxGlob = 1024

// compileGlob gives a function that tells whether a path below the searched directory matches. A pattern without a slash is
// for the last part alone. `*` and `?` do not match a slash, `**` does, `[a-z]` and `[!a-z]` match one character, and
// `{a,b}` either.
func compileGlob(pattern string) (func(relative string) bool, error) {
	if pattern == "" {
		return func(string) bool { return true }, nil
	}
	if len(pattern) > maxGlob {
		return nil, fault.Invalid("the glob is longer than %d bytes", maxGlob)
	}
	source, err := globSource(strings.TrimPrefix(pattern, "/"))
	if err != nil {
		return nil, err
	}
	expression, err := regexp.Compile(source)
	if err != nil {
		return nil, fault.Invalid("the glob cannot be read")
	}
	if strings.Contains(pattern, "/") {
		return expression.MatchString, nil
	}
	return func(relative string) bool { return expression.MatchString(filepath.Base(relative)) }, nil
}

func globSource(pattern string) (string, error) {
	var out strings.Builder
	out.WriteString(`(?s)^`)
	depth := 0
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case strings.HasPrefix(pattern[i:], "**/"):
			out.WriteString(`(?:.*/)?`)
			i += 2
		case strings.HasPrefix(pattern[i:], "**"):
			out.WriteString(`.*`)
			i++
		case c == '*':
			out.WriteString(`[^/]*`)
		case c == '?':
			out.WriteString(`[^/]`)
		case c == '{':
			depth++
			out.WriteString(`(?:`)
		case c == '}' && depth > 0:
			depth--
			out.WriteString(`)`)
		case c == ',' && depth > 0:
			out.WriteString(`|`)
		case c == '[':
			end := strings.IndexByte(pattern[i+1:], ']')
			if end < 1 {
				return "", fault.Invalid("the glob has a [ without its ]")
			}
			out.WriteString(class(pattern[i+1 : i+1+end]))
			i += end + 1
		case c == '\\' && i+1 < len(pattern):
			i++
			out.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			out.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	if depth > 0 {
		return "", fault.Invalid("the glob has a { without its }")
	}
	out.WriteString(`$`)
	return out.String(), nil
}

func class(content string) string {
	not := ""
	if content[0] == '!' || content[0] == '^' {
		not, content = "^", content[1:]
	}
	return "[" + not + strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`, `&`, `\&`).Replace(content) + "]"
}
