# tests/lint/layers.awk: holds #include lines to Layers. Usage: awk -f layers.awk Layers FILE...
BEGIN { FS = "[ \t]+" }
FILENAME == ARGV[1] {
	if ($0 !~ /^#/ && $1 ~ /:$/) {
		module = substr($1, 1, length($1) - 1)
		known[module] = 1
		may[module, module] = 1
		for (i = 2; i <= NF; i++)
			may[module, $i] = 1
	}
	next
}
FNR == 1 { split(FILENAME, part, "/"); from = part[1] }
/^#include "/ && from in known {
	split($0, quoted, "\"")
	split(quoted[2], part, "/")
	if (!(part[1] in known) || !((from, part[1]) in may)) {
		printf "%s:%d: %s may not include from %s (see Layers)\n", FILENAME, FNR, from, part[1]
		bad = 1
	}
}
END { exit bad }
