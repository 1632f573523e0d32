/* cmd/stube-runtime/checkpoint.c: the commands checkpoint and restore. */
#include "cmd/stube-runtime/foreground.h"
#include "cmd/stube-runtime/options.h"
#include "runtime/checkpoint.h"

struct checkpoint_args {
	struct criu_options criu;
};

/* --criu stands before the command. */
static struct criu_options options_of(const struct cli_context *c, const struct criu_options *o)
{
	const struct runtime_globals *g = c->globals;
	struct criu_options all = *o;

	all.criu = g->criu;
	return all;
}

static err *checkpoint_run(const struct cli_context *c, int *ret_status)
{
	const struct checkpoint_args *a = c->args;
	struct criu_options options = options_of(c, &a->criu);
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(64);
	const char *root = NULL;

	(void)ret_status;
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_root(arena, c, &root));
	err *e = checkpoint_container(arena, root, c->operands[0], &options, &warnings);
	runtime_log_warnings(&warnings);
	return runtime_named(e, c->operands[0]);
}

#define OPT_STRUCT struct checkpoint_args
/* clang-format off */
static const struct cli_option checkpoint_options[] = {
	OPT(0, "image-path",          CLI_STRING, criu.image_path,     "DIR",          "where the images go (default: ./checkpoint)"),
	OPT(0, "work-path",           CLI_STRING, criu.work_path,      "DIR",          "where dump.log goes (default: the image path)"),
	OPT(0, "parent-path",         CLI_STRING, criu.parent_path,    "DIR",          "images of the pre-dump before, relative to the image path"),
	OPT(0, "pre-dump",            CLI_FLAG,   criu.pre_dump,       NULL,           "write the memory alone and let the container run"),
	OPT(0, "leave-running",       CLI_FLAG,   criu.leave_running,  NULL,           "let the container run on instead of deleting it"),
	OPT(0, "tcp-established",     CLI_FLAG,   criu.tcp_established, NULL,          "take open TCP connections along"),
	OPT(0, "tcp-skip-in-flight",  CLI_FLAG,   criu.tcp_skip_in_flight, NULL,       "leave out TCP connections that are being made"),
	OPT_HIDDEN(0, "skip-in-flight", CLI_FLAG, criu.tcp_skip_in_flight, NULL,       "the same"),
	OPT(0, "tcp-close",           CLI_FLAG,   criu.tcp_close,      NULL,           "leave out open TCP connections: they are closed at the restore"),
	OPT(0, "file-locks",          CLI_FLAG,   criu.file_locks,     NULL,           "take file locks along"),
	OPT(0, "link-remap",          CLI_FLAG,   criu.link_remap,     NULL,           "allow open files that were unlinked, by linking them again"),
	OPT(0, "lazy-pages",          CLI_FLAG,   criu.lazy_pages,     NULL,           "serve the memory to a restore that asks for pages as it needs them"),
	OPT(0, "status-fd",           CLI_INT,    criu.status_fd,      "N",            "with --lazy-pages: descriptor that gets a zero byte once pages are served"),
	OPT(0, "page-server",         CLI_STRING, criu.page_server,    "ADDRESS:PORT", "send the memory to a page server"),
	OPT(0, "auto-dedup",          CLI_FLAG,   criu.auto_dedup,     NULL,           "drop from the parent's images what the new ones have"),
	CRIU_OPTIONS()
	OPT_HIDDEN(0, "lsm-profile",  CLI_STRING, criu.lsm_profile,    "TYPE:NAME",    "accepted; a restore uses it"),
	OPT_HIDDEN(0, "lsm-mount-context", CLI_STRING, criu.lsm_mount_context, "CONTEXT", "accepted; a restore uses it"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

const struct cli_command cmd_checkpoint = {
	.name = "checkpoint",
	.operands = "ID",
	.summary = "Write the processes of a container to files, by CRIU, and delete it",
	.example = "stube-runtime checkpoint --image-path /srv/web.images web\n"
		   "stube-runtime checkpoint --image-path /srv/web.1 --pre-dump web\n"
		   "stube-runtime checkpoint --image-path /srv/web.2 --parent-path ../web.1 web",
	.notes = "Needs root and the program criu, searched in PATH unless --criu names it.\n"
		 "CRIU's own options come from the file that the annotation org.criu.config\n"
		 "names, else from the first of stube-runtime.conf, crun.conf, runc.conf in\n"
		 "/etc/criu. A failure leaves the container running; dump.log says more.",
	.options = checkpoint_options,
	.args_size = sizeof(struct checkpoint_args),
	.min = 1,
	.max = 1,
	.run = checkpoint_run,
};

/* ---- restore ---- */

struct restore_args {
	struct start_args start;
	struct criu_options criu;
};

static err *restore(struct start *s, struct arena *arena, struct start_request *r,
		    const struct restore_args *a, const struct criu_options *o, int *ret_status)
{
	auto_foreground struct foreground f = FOREGROUND_INIT;

	TRY(foreground_begin(&a->start, r, &f));
	TRY(restore_container(arena, r, o, s));
	return a->start.detach ? NULL : foreground_wait(s, &f, false, ret_status);
}

static err *restore_run(const struct cli_context *c, int *ret_status)
{
	const struct restore_args *a = c->args;
	struct criu_options options = options_of(c, &a->criu);
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(256);
	auto_start struct start s = START_INIT;
	struct start_request request;

	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_start_request(arena, c, &a->start, &warnings, &request));
	err *e = restore(&s, arena, &request, a, &options, ret_status);
	runtime_log_warnings(&warnings);
	return runtime_named(e, request.id);
}

#define OPT_STRUCT struct restore_args
/* clang-format off */
static const struct cli_option restore_options[] = {
	BUNDLE_OPTIONS(start.)
	OPT('d', "detach",            CLI_FLAG,   start.detach,         NULL,          "return once the container runs"),
	OPT(0, "image-path",          CLI_STRING, criu.image_path,      "DIR",         "where the images are (default: ./checkpoint)"),
	OPT(0, "work-path",           CLI_STRING, criu.work_path,       "DIR",         "where restore.log goes (default: the image path)"),
	OPT(0, "tcp-established",     CLI_FLAG,   criu.tcp_established, NULL,          "bring back open TCP connections"),
	OPT(0, "tcp-close",           CLI_FLAG,   criu.tcp_close,       NULL,          "bring back open TCP connections as closed ones"),
	OPT(0, "file-locks",          CLI_FLAG,   criu.file_locks,      NULL,          "bring back file locks"),
	OPT(0, "lazy-pages",          CLI_FLAG,   criu.lazy_pages,      NULL,          "fetch memory as it is needed, from a criu lazy-pages that runs"),
	OPT(0, "auto-dedup",          CLI_FLAG,   criu.auto_dedup,      NULL,          "drop from the images what is restored"),
	CRIU_OPTIONS()
	OPT(0, "lsm-profile",         CLI_STRING, criu.lsm_profile,     "TYPE:NAME",   "another AppArmor or SELinux profile: apparmor:NAME, selinux:LABEL"),
	OPT(0, "lsm-mount-context",   CLI_STRING, criu.lsm_mount_context, "CONTEXT",   "another SELinux context for mounts that had one"),
	OPT(0, "no-subreaper",        CLI_FLAG,   start.no_subreaper,   NULL,          "leave orphans of the container to the caller's reaper"),
	/* What engines pass on to every command that starts a container; CRIU makes root and keyring its own way. */
	OPT_HIDDEN(0, "no-pivot",     CLI_FLAG,   start.no_pivot,       NULL,          "accepted, without effect"),
	OPT_HIDDEN(0, "no-new-keyring", CLI_FLAG, start.no_new_keyring, NULL,          "accepted, without effect"),
	OPT_HIDDEN(0, "parent-path",  CLI_STRING, criu.parent_path,     "DIR",         "accepted: the images know it"),
	OPT_HIDDEN(0, "page-server",  CLI_STRING, criu.page_server,     "ADDRESS:PORT", "address of a criu lazy-pages"),
	OPT_HIDDEN(0, "status-fd",    CLI_INT,    criu.status_fd,       "N",           "as checkpoint's"),
	OPT_HIDDEN(0, "leave-running", CLI_FLAG,  criu.leave_running,   NULL,          "accepted, without effect"),
	OPT_HIDDEN(0, "pre-dump",     CLI_FLAG,   criu.pre_dump,        NULL,          "accepted, without effect"),
	OPT_HIDDEN(0, "link-remap",   CLI_FLAG,   criu.link_remap,      NULL,          "accepted, without effect"),
	OPT_HIDDEN(0, "tcp-skip-in-flight", CLI_FLAG, criu.tcp_skip_in_flight, NULL,   "accepted, without effect"),
	{0}
};
/* clang-format on */
#undef OPT_STRUCT

const struct cli_command cmd_restore = {
	.name = "restore",
	.operands = "ID",
	.summary = "Bring back a container from the files of a checkpoint, by CRIU",
	.example = "stube-runtime restore --bundle /srv/bundle --image-path /srv/web.images --detach web",
	.notes = "Needs root and the program criu, as checkpoint does. Cgroup, limits, device\n"
		 "rules and namespaces are made as config.json says; the hooks prestart and\n"
		 "createRuntime run once the namespaces exist. Standard streams become those of\n"
		 "this command. A failure leaves nothing; restore.log says more.",
	.options = restore_options,
	.args_size = sizeof(struct restore_args),
	.min = 1,
	.max = 1,
	.run = restore_run,
};
