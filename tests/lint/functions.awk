#!/usr/bin/awk -f
# Length and name of every function: a body is what stands between "{" and "}" in the first column.
/^[a-zA-Z].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^{/ { start = FNR }
/^}/ && start { print FNR - start + 1, FILENAME ":" start, name; start = 0 }
