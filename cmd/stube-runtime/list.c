/* cmd/stube-runtime/list.c: the command list. */
#include "base/fd.h"
#include "base/log.h"
#include "cmd/stube-runtime/runtime.h"

struct list_args {
	const char *format;
	bool quiet;
};

enum { LIST_MAX = 256 << 20 };

struct printer {
	const struct list_args *args;
	struct cli_table *table;
	struct str text; /* JSON or ids */
};

static err *add_row(struct printer *p, const struct state_record *r, enum state_status status)
{
	char pid[16];

	snprintf(pid, sizeof pid, "%d", status == STATE_STOPPED ? 0 : r->pid);
	cli_table_row(p->table, (const char *const[]){ r->id, pid, enum_name(state_status_names, (int)status),
						       r->bundle, r->created, r->owner });
	return NULL;
}

static err *add_json(struct printer *p, const struct state_record *r, enum state_status status)
{
	auto_str struct str one = STR_INIT(2 * STATE_RECORD_MAX);

	TRY(state_json(r, status, true, 0, &one));
	if (p->text.len > 1)
		str_add_char(&p->text, ',');
	str_add(&p->text, one.data);
	return NULL;
}

static err *add(struct printer *p, const char *root, const char *id)
{
	auto_arena struct arena *arena = NULL;
	auto_container struct container container = CONTAINER_INIT;
	enum state_status status;

	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(container_open(arena, root, id, CONTAINER_READ, &container));
	TRY(container_status(&container, &status, NULL));
	if (p->table)
		return add_row(p, &container.record, status);
	return add_json(p, &container.record, status);
}

/* One container that cannot be read, or that ends at this moment, hides no other. */
static void add_all(struct printer *p, const char *root, const struct strings *ids)
{
	for (size_t i = 0; i < ids->count; i++) {
		if (p->args->quiet) {
			str_addf(&p->text, "%s\n", ids->items[i]);
			continue;
		}
		err *e = add(p, root, ids->items[i]);
		if (e && e->code != ENOENT)
			log_err(e);
		err_free(e);
	}
}

static err *list_run(const struct cli_context *c, int *ret_status)
{
	static const char *const headings[] = { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER", NULL };
	const struct list_args *a = c->args;
	bool as_json = str_equal(a->format, "json");
	auto_arena struct arena *arena = NULL;
	auto_cli_table struct cli_table *table = NULL;
	struct printer p = { .args = a, .text = STR_INIT(LIST_MAX) };
	struct strings ids;
	const char *root;

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_root(arena, c, &root));
	TRY(state_list(arena, root, &ids));
	if (!as_json && !a->quiet)
		TRY(cli_table_new(headings, &table));
	p.table = table;
	if (as_json && !a->quiet)
		str_add_char(&p.text, '[');
	add_all(&p, root, &ids);
	if (as_json && !a->quiet)
		str_add(&p.text, "]\n");
	err *e = str_check(&p.text);
	if (!e)
		e = table ? cli_table_print(table, 1) : fd_write_all(1, p.text.data, p.text.len);
	str_done(&p.text);
	return e;
}

#define OPT_STRUCT struct list_args
static const struct cli_option list_options[] = {
	OPT('f', "format", CLI_CHOICE, format, "table|json", "how to print the containers"),
	OPT('q', "quiet", CLI_FLAG, quiet, NULL, "print the ids only"),
	{ 0 }
};
#undef OPT_STRUCT

const struct cli_command cmd_list = {
	.name = "list",
	.summary = "List the containers of --root",
	.example = "stube-runtime list\nstube-runtime list --format json",
	.options = list_options,
	.args_size = sizeof(struct list_args),
	.run = list_run,
};
