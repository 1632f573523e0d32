/* cmd/stube-runtime/exec.c: the command exec. */
#include <ctype.h>
#include <fcntl.h>
#include <linux/capability.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "cmd/stube-runtime/init-image.h"
#include "cmd/stube-runtime/runtime.h"
#include "oci/config.h"
#include "runtime/interrupt.h"
#include "runtime/join.h"
#include "runtime/supervise.h"

enum { EXEC_FAILED = 255 };

struct exec_args {
	const char *console_socket, *cwd, *user, *process, *pid_file, *pidfd_socket, *process_label,
		*apparmor, *cgroup;
	struct strv env, caps, groups;
	uint64_t preserve_fds;
	bool terminal, detach, no_new_privs, ignore_paused, no_subreaper;
};

struct adjustment {
	const struct cli_context *context;
	struct arena *arena;
	struct strv *warnings;
};

/* "1000" or "1000:100": digits only. What looks like a number and is none must never become root
 * (CVE-2026-30892). */
static err *parse_id(const char *text, uint32_t *ret)
{
	uint64_t id;

	if (!DEFENCE("user-digits")) {
		*ret = (uint32_t)strtoul(text, NULL, 10);
		return NULL;
	}
	if (!str_to_u64(text, &id) || id >= UINT32_MAX || (text[0] == '0' && text[1]))
		return err_new(EINVAL, "'%s' is no user or group id", text);
	*ret = (uint32_t)id;
	return NULL;
}

static err *parse_user(const char *text, struct oci_user *user)
{
	char copy[64];

	if (strlen(text) >= sizeof copy)
		return err_new(EINVAL, "'%s' is no user or group id", text);
	snprintf(copy, sizeof copy, "%s", text);
	char *colon = strchr(copy, ':');
	if (colon) {
		*colon = '\0';
		TRY(parse_id(colon + 1, &user->gid));
	}
	return parse_id(copy, &user->uid);
}

static err *parse_groups(struct arena *arena, const struct strv *words, struct oci_user *user)
{
	uint32_t *items;

	if (words->count == 0)
		return NULL;
	TRY_ALLOC(arena, items,
		  arena_array(arena, words->count + user->additional_gids.count, sizeof *items));
	size_t count = user->additional_gids.count;
	if (count)
		memcpy(items, user->additional_gids.items, count * sizeof *items);
	for (size_t i = 0; i < words->count; i++)
		TRY(parse_id(words->items[i], &items[count++]));
	user->additional_gids.items = items;
	user->additional_gids.count = count;
	return NULL;
}

static err *add_env(struct arena *arena, const struct strv *words, struct strings *env)
{
	auto_strv struct strv all = STRV_INIT(1 << 20);
	const char **items;

	for (size_t i = 0; i < env->count; i++)
		strv_add(&all, env->items[i]);
	for (size_t i = 0; i < words->count; i++) {
		const char *equals = strchr(words->items[i], '=');
		char *name;

		if (!equals || equals == words->items[i])
			return err_new(EINVAL, "--env '%s': expected NAME=VALUE", words->items[i]);
		TRY_ALLOC(arena, name,
			  arena_strndup(arena, words->items[i], (size_t)(equals - words->items[i])));
		strv_set(&all, name, equals + 1);
	}
	TRY(strv_check(&all));
	TRY_ALLOC(arena, items, arena_array(arena, all.count + 1, sizeof *items));
	for (size_t i = 0; i < all.count; i++)
		TRY_ALLOC(arena, items[i], arena_strdup(arena, all.items[i]));
	env->items = items;
	env->count = all.count;
	return NULL;
}

/* In any case, as crun takes them. What is unknown is a warning, as in config.json. */
static err *parse_caps(struct arena *arena, const struct strv *names, struct strv *warnings,
		       struct oci_ints *ret)
{
	TRY_ALLOC(arena, ret->items, arena_array(arena, names->count, sizeof *ret->items));
	for (size_t i = 0; i < names->count; i++) {
		char upper[64] = "";

		for (size_t k = 0; names->items[i][k] && k < sizeof upper - 1; k++)
			upper[k] = (char)toupper((unsigned char)names->items[i][k]);
		int c = enum_value(oci_capability_names, upper);
		if (c < 0)
			strv_addf(warnings, "--cap: unknown capability '%s', ignored", names->items[i]);
		else
			ret->items[ret->count++] = c;
	}
	return NULL;
}

static err *add_to(struct arena *arena, struct oci_ints *list, const struct oci_ints *more)
{
	int *items;

	TRY_ALLOC(arena, items, arena_array(arena, list->count + more->count + 1, sizeof *items));
	if (list->count)
		memcpy(items, list->items, list->count * sizeof *items);
	if (more->count)
		memcpy(items + list->count, more->items, more->count * sizeof *items);
	list->items = items;
	list->count += more->count;
	return NULL;
}

/* Never inheritable ones (CVE-2022-29162). */
static err *add_caps(const struct adjustment *adj, const struct strv *names, struct oci_process *p)
{
	struct arena *arena = adj->arena;
	struct oci_capabilities *caps;
	struct oci_ints more = { 0 };

	if (names->count == 0)
		return NULL;
	TRY(parse_caps(arena, names, adj->warnings, &more));
	TRY_ALLOC(arena, caps, arena_alloc(arena, sizeof *caps));
	if (p->capabilities)
		*caps = *p->capabilities;
	TRY(add_to(arena, &caps->bounding, &more));
	TRY(add_to(arena, &caps->permitted, &more));
	TRY(add_to(arena, &caps->effective, &more));
	p->capabilities = caps;
	return NULL;
}

static err *adjust(struct oci_process *p, void *data)
{
	const struct adjustment *adj = data;
	const struct cli_context *c = adj->context;
	const struct exec_args *a = c->args;

	if (c->operand_count < 2)
		return err_new(EINVAL, "exec: no program is given");
	p->args.items = (const char **)(c->operands + 1);
	p->args.count = c->operand_count - 1;
	p->terminal = a->terminal;
	if (a->cwd) {
		if (*a->cwd != '/')
			return err_new(EINVAL, "--cwd '%s': is not an absolute path", a->cwd);
		p->cwd = a->cwd;
	}
	if (a->user)
		TRY(err_wrap(parse_user(a->user, &p->user), "--user"));
	TRY(err_wrap(parse_groups(adj->arena, &a->groups, &p->user), "--additional-gids"));
	TRY(add_env(adj->arena, &a->env, &p->env));
	TRY(add_caps(adj, &a->caps, p));
	if (a->apparmor)
		p->apparmor_profile = a->apparmor;
	if (a->process_label)
		p->selinux_label = a->process_label;
	if (a->no_new_privs)
		p->no_new_privileges = true;
	return NULL;
}

static err *load_process(struct arena *arena, const char *path, struct strv *warnings,
			 const struct oci_process **ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	TRY(file_read(AT_FDCWD, path, &text));
	return oci_process_decode(arena, path, text.data, text.len, warnings, ret);
}

/* "/web" and "web" both lie below the container's cgroup, "/" is that cgroup itself. */
static const char *below_container(const char *path)
{
	if (!path)
		return NULL;
	path += strspn(path, "/");
	return *path ? path : ".";
}

static err *fill_request(struct arena *arena, const struct cli_context *c, struct adjustment *adj,
			 struct strv *warnings, struct join_request *r)
{
	const struct exec_args *a = c->args;

	*r = (struct join_request){
		.base = {
			.id = c->operands[0],
			.console_socket = a->console_socket,
			.console_fd = -1,
			.pid_file = a->pid_file,
			.pidfd_socket = a->pidfd_socket,
			.preserve_fds = (uint32_t)a->preserve_fds,
			.init = init_image,
			.init_len = init_image_size,
			.warnings = warnings,
			.print = runtime_step_printer(c),
		},
		.adjust = adjust,
		.adjust_data = adj,
		.cgroup = below_container(a->cgroup),
		.ignore_paused = a->ignore_paused,
	};
	TRY(state_check_id(r->base.id));
	TRY(runtime_check_preserved(a->preserve_fds));
	TRY(runtime_root(arena, c, &r->base.root));
	r->base.rootless = runtime_is_rootless(c);
	if (a->process)
		TRY(load_process(arena, a->process, warnings, &r->process));
	return NULL;
}

static err *execute(struct arena *arena, struct join_request *r, const struct exec_args *a,
		    int *ret_status)
{
	auto_start struct start s = START_INIT;
	auto_close int ours = -1;
	auto_close int theirs = -1;
	auto_close int master = -1;
	bool terminal = r->process ? r->process->terminal : a->terminal;

	if (terminal && !a->console_socket && !a->detach) {
		TRY(console_pair(&ours, &theirs));
		r->base.console_fd = theirs;
	}
	if (!a->detach) {
		TRY(supervise_block_signals());
		TRY(interrupt_open());
	}
	TRY(join_container(arena, r, &s));
	fd_clear(&theirs);
	if (a->detach) {
		*ret_status = CLI_OK;
		return NULL;
	}
	interrupt_close();
	if (ours >= 0)
		TRY(receive_terminal(ours, &master));
	return supervise(s.pid, master, NULL, 0, ret_status);
}

static err *exec_run(const struct cli_context *c, int *ret_status)
{
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(256);
	struct join_request request;

	/* runc's and crun's: 1 may be the program's own. */
	*ret_status = EXEC_FAILED;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	struct adjustment adj = { c, arena, &warnings };
	err *e = fill_request(arena, c, &adj, &warnings, &request);
	if (!e)
		e = execute(arena, &request, c->args, ret_status);
	runtime_log_warnings(&warnings);
	return err_wrap(runtime_named(e, c->operands[0]), "exec failed");
}

#define OPT_STRUCT struct exec_args
/* clang-format off */
static const struct cli_option exec_options[] = {
	OPT(0,   "console-socket",  CLI_STRING, console_socket, "PATH",      "Unix socket that receives the terminal"),
	OPT(0,   "cwd",             CLI_STRING, cwd,            "DIR",       "working directory"),
	OPT('e', "env",             CLI_LIST,   env,            "NAME=VALUE","one more environment variable"),
	OPT('t', "tty",             CLI_FLAG,   terminal,       NULL,        "with a terminal"),
	OPT('u', "user",            CLI_STRING, user,           "UID[:GID]", "as this user"),
	OPT('g', "additional-gids", CLI_LIST,   groups,         "GID",       "one more group"),
	OPT('p', "process",         CLI_STRING, process,        "FILE",      "process document of the specification instead of options"),
	OPT('d', "detach",          CLI_FLAG,   detach,         NULL,        "return once the program runs"),
	OPT(0,   "pid-file",        CLI_STRING, pid_file,       "FILE",      "write the process id there"),
	OPT(0,   "pidfd-socket",    CLI_STRING, pidfd_socket,   "PATH",      "Unix socket that receives a pidfd of the process"),
	OPT(0,   "process-label",   CLI_STRING, process_label,  "LABEL",     "SELinux label"),
	OPT(0,   "apparmor",        CLI_STRING, apparmor,       "PROFILE",   "AppArmor profile"),
	OPT(0,   "no-new-privs",    CLI_FLAG,   no_new_privs,   NULL,        "the program can gain no privileges"),
	OPT('c', "cap",             CLI_LIST,   caps,           "CAP_NAME",  "one more capability"),
	OPT(0,   "preserve-fds",    CLI_UINT,   preserve_fds,   "N",         "pass on N descriptors from 3 on"),
	OPT(0,   "cgroup",          CLI_STRING, cgroup,         "PATH",      "in this cgroup below the container's"),
	OPT(0,   "ignore-paused",   CLI_FLAG,   ignore_paused,  NULL,        "also in a paused container (it runs when resumed)"),
	OPT_HIDDEN(0, "no-subreaper", CLI_FLAG, no_subreaper,   NULL,        "accepted: exec is nobody's reaper but its process's"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

const struct cli_command cmd_exec = {
	.name = "exec",
	.operands = "ID [PROGRAM [ARGUMENT...]]",
	.summary = "Execute a program in a container that runs",
	.example = "stube-runtime exec web ps\n"
		   "stube-runtime exec --process process.json --detach --pid-file /run/1.pid web",
	.options = exec_options,
	.args_size = sizeof(struct exec_args),
	.min = 1,
	.max = SIZE_MAX,
	.stop_at_operand = true,
	.run = exec_run,
};
