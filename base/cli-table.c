/* base/cli-table.c: tables and sizes for people. */
#include "base/cli.h"

#include <wchar.h>

#include "base/fd.h"
#include "base/str.h"

struct cli_table {
	size_t columns;
	struct strv cells; /* row by row, the headings first */
};

#define CELLS_MAX 1000000

err *cli_table_new(const char *const *headings, struct cli_table **ret)
{
	struct cli_table *t = calloc(1, sizeof *t);

	if (!t)
		return err_oom();
	t->cells = (struct strv)STRV_INIT(CELLS_MAX);
	while (headings[t->columns])
		t->columns++;
	if (t->columns == 0) {
		free(t);
		return err_new(EINVAL, "table without a column");
	}
	cli_table_row(t, headings);
	*ret = t;
	return NULL;
}

/* What a cell shows: control characters from outside must not reach the terminal. */
void cli_table_row(struct cli_table *t, const char *const *cells)
{
	for (size_t i = 0; i < t->columns; i++) {
		auto_str struct str clean = STR_INIT(64 * 1024);

		str_add_shown(&clean, cells[i] ? cells[i] : "");
		strv_add(&t->cells, clean.data);
	}
}

/* Columns on the screen: UTF-8 continuation bytes take none. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static size_t column_width(const struct cli_table *t, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < t->cells.count; i += t->columns)
		width = MAX(width, width_of(t->cells.items[i]));
	return width;
}

err *cli_table_print(struct cli_table *t, int fd)
{
	auto_str struct str out = STR_INIT(64 << 20);
	auto_free size_t *widths = calloc(t->columns + 1, sizeof *widths);

	TRY(strv_check(&t->cells));
	if (!widths)
		return err_oom();
	for (size_t c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	for (size_t i = 0, column = 0; i < t->cells.count; i++) {
		bool last = column + 1 == t->columns;

		str_add(&out, t->cells.items[i]);
		for (size_t pad = width_of(t->cells.items[i]); !last && pad < widths[column] + 2; pad++)
			str_add_char(&out, ' ');
		if (last)
			str_add_char(&out, '\n');
		column = last ? 0 : column + 1;
	}
	TRY(str_check(&out));
	return fd_write_all(fd, out.data, out.len);
}

void cli_table_free(struct cli_table *t)
{
	if (!t)
		return;
	strv_done(&t->cells);
	free(t);
}

const char *cli_size_text(uint64_t bytes, char buf[static 16])
{
	static const char *const suffixes[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes;
	size_t i = 0;

	while (value >= 999.5 && i + 1 < ARRAY_LEN(suffixes)) {
		value /= 1000;
		i++;
	}
	snprintf(buf, 16, value < 9.95 && i > 0 ? "%.1f %s" : "%.0f %s", value, suffixes[i]);
	return buf;
}
