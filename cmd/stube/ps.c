/* cmd/stube/ps.c: stube ps. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "cmd/stube/local.h"

struct ps_args {
	bool all;
	const char *output;
};

#define OPT_STRUCT struct ps_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('a', "all",    CLI_FLAG,   all,    NULL,              "also those that have ended"),
	OPT('o', "output", CLI_CHOICE, output, "table|json|name", "how to print them"),
	{0}
};
/* clang-format on */

static const char *status_text(const struct local_container *c, char *buf, size_t size)
{
	char ago[CLOCK_TEXT_MAX];

	if (c->status == LOCAL_RUNNING)
		snprintf(buf, size, "up %s", clock_ago(clock_real() - c->started, ago));
	else if (c->status == LOCAL_EXITED && c->known)
		snprintf(buf, size, "exited (%u) %s ago%s", c->code, clock_ago(clock_real() - c->finished, ago),
			 c->oom ? ", out of memory" : "");
	else if (c->status == LOCAL_EXITED)
		snprintf(buf, size, "ended unseen %s ago", clock_ago(clock_real() - c->finished, ago));
	else
		snprintf(buf, size, "created");
	return buf;
}

static err *print_table(const struct local_container *list, size_t count)
{
	static const char *const headings[] = { "NAME", "IMAGE", "STATUS", "PID", NULL };
	auto_cli_table struct cli_table *table = NULL;
	char status[128], pid[16];

	TRY(cli_table_new(headings, &table));
	for (size_t i = 0; i < count; i++) {
		const struct local_container *c = &list[i];
		snprintf(pid, sizeof(pid), "%d", c->pid);
		const char *const cells[] = {
			c->record.name, c->record.image ? c->record.image : c->record.rootfs,
			status_text(c, status, sizeof(status)), c->pid ? pid : "-",
		};
		cli_table_row(table, cells);
	}
	return cli_table_print(table, STDOUT_FILENO);
}

static err *print_json(const struct local_container *list, size_t count)
{
	auto_str struct str out = STR_INIT(256 << 20);
	struct json_writer w = JSON_WRITER(&out, 0);

	json_begin_array(&w);
	for (size_t i = 0; i < count; i++)
		local_encode(&w, &list[i]);
	json_end_array(&w);
	str_add_char(&out, '\n');
	TRY(str_check(&out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

static err *ps_run(const struct cli_context *c, int *ret_status)
{
	const struct ps_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_local struct local *l = NULL;
	struct local_container *list;
	size_t count, kept = 0;

	(void)ret_status;
	TRY(arena_new(512 << 20, &arena));
	TRY(local_open(NULL, &l));
	TRY(local_list(l, arena, &list, &count));
	for (size_t i = 0; i < count; i++)
		if (a->all || list[i].status != LOCAL_EXITED)
			list[kept++] = list[i];
	if (str_equal(a->output, "json"))
		return print_json(list, kept);
	if (!str_equal(a->output, "name"))
		return print_table(list, kept);
	for (size_t i = 0; i < kept; i++)
		printf("%s\n", list[i].record.name);
	return NULL;
}

const struct cli_command cmd_ps = {
	.name = "ps",
	.summary = "List the containers of this machine",
	.example = "stube ps --all\nstube ps --output json | jq -r '.[].name'",
	.options = options,
	.args_size = sizeof(struct ps_args),
	.run = ps_run,
};
