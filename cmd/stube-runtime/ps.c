/* cmd/stube-runtime/ps.c: the command ps. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "cmd/stube-runtime/runtime.h"

struct ps_args {
	const char *format;
};

struct pids {
	pid_t *items;
	size_t count;
};

enum { OUTPUT_MAX = 64 << 20 };

/* Without a cgroup init alone is known to belong to the container. */
static err *list_pids(struct container *c, struct pids *ret)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	enum state_status status;

	if (c->record.cgroup) {
		TRY(container_open_cgroup(c, &cg));
		if (cg.fd >= 0)
			return cgroup_processes(&cg, c->arena, &ret->items, &ret->count);
	}
	TRY(container_status(c, &status, NULL));
	TRY_ALLOC(c->arena, ret->items, arena_array(c->arena, 1, sizeof *ret->items));
	ret->items[0] = c->record.pid;
	ret->count = status == STATE_STOPPED ? 0 : 1;
	return NULL;
}

static err *print_json(const struct pids *pids)
{
	auto_str struct str text = STR_INIT(OUTPUT_MAX);
	struct json_writer w = JSON_WRITER(&text, 0);

	json_begin_array(&w);
	for (size_t i = 0; i < pids->count; i++)
		json_int(&w, pids->items[i]);
	json_end_array(&w);
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	return fd_write_all(1, text.data, text.len);
}

/* What ps(1) of the host prints with the given options (default -ef). */
static err *run_ps(char *const *options, struct str *out)
{
	static const char *const plain[] = { "ps", "-ef", NULL };
	auto_strv struct strv args = STRV_INIT(256);
	posix_spawn_file_actions_t actions;
	int ends[2], status = 0;
	pid_t pid;

	strv_add(&args, "ps");
	for (size_t i = 0; options[i]; i++)
		strv_add(&args, options[i]);
	TRY(strv_check(&args));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("create pipe");
	auto_close int reader = ends[0];
	auto_close int writer = ends[1];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, writer, 1);
	int code = posix_spawnp(&pid, "ps", &actions, NULL,
				options[0] ? args.items : (char *const *)plain, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (code)
		return err_code(code, "start ps");
	fd_clear(&writer);
	err *e = fd_read_all(reader, out);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	TRY(e);
	if (status != 0)
		return err_new(EINVAL, "ps failed with these options");
	return NULL;
}

/* Index of the heading PID, or -1. */
static int pid_column(const char *line)
{
	size_t len = strcspn(line, "\n");
	int column = 0;

	for (size_t at = strspn(line, " "); at < len; column++) {
		size_t word = strcspn(line + at, " \n");
		if (word == 3 && memcmp(line + at, "PID", 3) == 0)
			return column;
		at += word;
		at += strspn(line + at, " ");
	}
	return -1;
}

static bool line_is_of(const char *line, int column, const struct pids *pids)
{
	char number[16] = "";
	uint64_t pid;

	for (; column >= 0; column--) {
		line += strspn(line, " ");
		size_t word = strcspn(line, " \n");
		if (column == 0 && word < sizeof number)
			memcpy(number, line, word);
		line += word;
	}
	if (!str_to_u64(number, &pid))
		return false;
	for (size_t i = 0; i < pids->count; i++) {
		if ((uint64_t)pids->items[i] == pid)
			return true;
	}
	return false;
}

static err *print_table(char *const *options, const struct pids *pids)
{
	auto_str struct str all = STR_INIT(OUTPUT_MAX);
	auto_str struct str mine = STR_INIT(OUTPUT_MAX);

	TRY(run_ps(options, &all));
	int column = pid_column(all.data);
	if (column < 0)
		return err_new(EINVAL, "ps prints no column PID with these options");
	for (const char *line = all.data; *line;) {
		size_t len = strcspn(line, "\n");
		len += line[len] == '\n';
		if (line == all.data || line_is_of(line, column, pids))
			str_add_bytes(&mine, line, len);
		line += len;
	}
	TRY(str_check(&mine));
	return fd_write_all(1, mine.data, mine.len);
}

static err *ps_run(const struct cli_context *c, int *ret_status)
{
	const struct ps_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_container struct container container = CONTAINER_INIT;
	struct pids pids = { 0 };

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_open(arena, c, CONTAINER_READ, &container));
	TRY(list_pids(&container, &pids));
	if (str_equal(a->format, "json"))
		return print_json(&pids);
	return print_table(c->operands + 1, &pids);
}

#define OPT_STRUCT struct ps_args
static const struct cli_option ps_options[] = {
	OPT('f', "format", CLI_CHOICE, format, "table|json", "how to print the processes"),
	{ 0 }
};
#undef OPT_STRUCT

const struct cli_command cmd_ps = {
	.name = "ps",
	.operands = "ID [PS-OPTION...]",
	.summary = "List the processes of a container",
	.example = "stube-runtime ps web\nstube-runtime ps --format json web",
	.options = ps_options,
	.args_size = sizeof(struct ps_args),
	.min = 1,
	.max = SIZE_MAX,
	.stop_at_operand = true,
	.run = ps_run,
};
