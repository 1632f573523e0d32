/* cmd/stube/run.c: stube run. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cmd/stube/local.h"
#include "images/remote.h"

#define OPT_STRUCT struct run_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('d', "detach",       CLI_FLAG,    detach,         NULL,         "print the name and return once it runs"),
	OPT(0,   "name",         CLI_STRING,  name,           "NAME",       "name of the container (default: drawn)"),
	OPT(0,   "rm",           CLI_FLAG,    rm,             NULL,         "remove it when it has ended"),
	OPT('i', "interactive",  CLI_FLAG,    interactive,    NULL,         "pass on standard input"),
	OPT('t', "tty",          CLI_FLAG,    tty,            NULL,         "give it a terminal"),
	OPT(0,   "rootfs",       CLI_STRING,  rootfs,         "DIR",        "run this directory, in place, instead of an image"),
	OPT(0,   "pull",         CLI_CHOICE,  pull,           "missing|always|never", "when to fetch the image (default: missing)"),
	OPT(0,   "platform",     CLI_STRING,  platform,       "OS/ARCH[/VARIANT]", "take this platform's image"),
	OPT_HEADING("Process"),
	OPT('e', "env",          CLI_LIST,    env,            "NAME[=VALUE]", "set a variable; without VALUE the caller's own"),
	OPT(0,   "env-file",     CLI_LIST,    env_files,      "FILE",       "set variables from lines of a file"),
	OPT('u', "user",         CLI_STRING,  user,           "USER[:GROUP]", "run as this user, by name or number"),
	OPT('w', "workdir",      CLI_STRING,  workdir,        "DIR",        "begin in this directory"),
	OPT(0,   "entrypoint",   CLI_STRING,  entrypoint,     "PROGRAM",    "run this instead of the image's entrypoint"),
	OPT(0,   "hostname",     CLI_STRING,  hostname,       "NAME",       "host name inside (default: the container's name)"),
	OPT(0,   "label",        CLI_LIST,    labels,         "NAME=VALUE", "attach a label"),
	OPT(0,   "stop-signal",  CLI_STRING,  stop_signal,    "SIGNAL",     "ask it to end with this signal (default: the image's, or TERM)"),
	OPT(0,   "stop-timeout", CLI_SECONDS, stop_timeout,   "SECONDS",    "wait so long for its end before KILL (default: 10)"),
	OPT_HEADING("Files and network"),
	OPT('v', "volume",       CLI_LIST,    volumes,        "SOURCE:DESTINATION[:ro]", "mount a directory or file of this machine"),
	OPT(0,   "tmpfs",        CLI_LIST,    tmpfs,          "DIR[:SIZE]", "mount an empty directory in memory"),
	OPT(0,   "writable",     CLI_FLAG,    writable,       NULL,         "let it write into its root file system"),
	OPT(0,   "network",      CLI_STRING,  network,        "none|host|ns:PATH|container:NAME", "which network it sees (default: none)"),
	OPT(0,   "add-host",     CLI_LIST,    add_hosts,      "NAME:ADDRESS", "add a line to /etc/hosts"),
	OPT_HEADING("Confinement and limits"),
	OPT(0,   "cap-add",      CLI_LIST,    cap_add,        "CAPABILITY", "give it a capability; it has none otherwise"),
	OPT(0,   "new-privileges", CLI_FLAG,  new_privileges, NULL,         "let set-id programs gain privileges"),
	OPT(0,   "seccomp",      CLI_CHOICE,  seccomp,        "default|unconfined", "filter of system calls"),
	OPT(0,   "userns",       CLI_CHOICE,  userns,         "auto|host",  "ids of its own, or those of this machine"),
	OPT('m', "memory",       CLI_SIZE,    memory,         "SIZE",       "limit of memory"),
	OPT(0,   "cpus",         CLI_STRING,  cpus,           "N",          "limit of processor time, such as 1.5"),
	OPT(0,   "pids-limit",   CLI_UINT,    pids_limit,     "N",          "limit of processes and threads"),
	OPT_HEADING("Runtime and log"),
	OPT(0,   "runtime",      CLI_STRING,  runtime,        "PATH",       "any OCI runtime (default: stube-runtime)"),
	OPT(0,   "cgroups",      CLI_CHOICE,  cgroups,        "cgroupfs|systemd|disabled", "who makes its cgroup"),
	OPT(0,   "log-size",     CLI_SIZE,    log_size,       "SIZE",       "begin a new log file at this size (default: 10M)"),
	OPT(0,   "log-files",    CLI_UINT,    log_files,      "N",          "keep so many log files (default: 5)"),
	OPT_HEADING("Fetching the image"),
	REMOTE_OPTIONS("show no progress"),
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	struct run_args *a = args;

	a->stop_timeout = 10 * (int64_t)NSEC_PER_SEC;
	a->log_size = 10 << 20;
	a->log_files = 5;
	a->network = "none";
	a->pull = "missing";
}

static err *choose_network(struct local *l, const struct run_args *a, struct str *path,
			   enum bundle_network *ret)
{
	const char *n = a->network;

	*ret = str_equal(n, "host") ? BUNDLE_NET_HOST : str_equal(n, "none") ? BUNDLE_NET_NEW : BUNDLE_NET_JOIN;
	if (*ret != BUNDLE_NET_JOIN)
		return NULL;
	if (str_starts_with(n, "container:"))
		return err_wrap(local_netns(l, n + strlen("container:"), path), "--network");
	if (!str_starts_with(n, "ns:/"))
		return err_new(EINVAL, "--network: '%s' is not one of none|host|ns:PATH|container:NAME", n);
	str_add(path, n + strlen("ns:"));
	return str_check(path);
}

static err *pull_image(const struct run_args *a, struct image_store *store, const char *text,
		       const struct oci_platform *platform)
{
	auto_progress struct progress *progress = NULL;
	auto_registry struct registry *registry = NULL;
	atomic_bool cancel = false;
	struct reference reference;
	struct image_pull_result result;

	TRY(reference_parse(text, NULL, &reference));
	TRY(progress_new(a->remote.progress, a->remote.quiet, &progress));
	TRY(open_registry(&a->remote, &cancel, progress, &registry));
	struct image_pull_options pull = {
		.platform = platform, .progress = progress_callbacks(progress), .cancel = &cancel,
	};
	err *e = image_pull_remote(store, registry, &reference, &pull, &result);
	progress_end(progress);
	return e;
}

static err *find_image(const struct cli_context *c, struct arena *arena, struct local_request *r,
		       struct image_store **ret_store)
{
	const struct run_args *a = c->args;
	const struct oci_platform *platform = NULL;

	TRY(parse_platform(arena, a->platform, &platform));
	TRY(open_store(c, IMAGE_STORE_SHARED, ret_store));
	r->store = *ret_store;
	if (str_equal(a->pull, "always"))
		TRY(pull_image(a, *ret_store, r->image_text, platform));
	err *e = image_resolve(*ret_store, arena, r->image_text, platform, &r->image);
	if (!e || e->code != ENOENT || !str_equal(a->pull, "missing"))
		return e;
	err_free(e);
	TRY(pull_image(a, *ret_store, r->image_text, platform));
	return image_resolve(*ret_store, arena, r->image_text, platform, &r->image);
}

/* What a pipe's reader must know: some of the output never reached it. */
static void tell_lost(const struct monitor_end *end, int *status)
{
	char files[24];

	if (end->lost == 0)
		return;
	snprintf(files, sizeof(files), "%llu", (unsigned long long)end->lost);
	log_error("standard output was read too slowly, part of it is lost", "log-files", files, NULL);
	if (*status == 0)
		*status = CLI_FAILURE;
}

static err *run_attached(struct local *l, const struct run_args *a, const char *name, int sock, int *ret_status)
{
	auto_close int keep = -1;
	struct monitor_end end;

	TRY(local_keep_open(l, name, &keep));
	struct monitor_attachment attachment = {
		.sock = sock, .input = a->interactive, .tty = a->tty, .start = true, .signals = true,
		.log_dir_fd = keep,
	};
	TRY(monitor_attach(&attachment, &end));
	*ret_status = end.code;
	tell_lost(&end, ret_status);
	return NULL;
}

static err *run_detached(const char *name, int sock)
{
	TRY(monitor_start_container(sock));
	printf("%s\n", name);
	return NULL;
}

/* A container whose start failed, or that was to go: leave nothing. */
static err *remove_ended(struct local *l, const char *name)
{
	err *e = local_remove(l, name, true);

	if (e && e->code == ENOENT) { /* another command saw that it had ended */
		err_free(e);
		return NULL;
	}
	return e;
}

/* An option that cannot be meant is wrong usage, also where only this command can tell. */
static err *usage(err *e, int *ret_status)
{
	if (e && e->code == EINVAL)
		*ret_status = CLI_USAGE;
	return e;
}

static err *run_run(const struct cli_context *c, int *ret_status)
{
	const struct run_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_local struct local *l = NULL;
	auto_store struct image_store *store = NULL;
	auto_str struct str netns = STR_INIT(4096), rootfs = STR_INIT(4096);
	auto_close int sock = -1;
	char name[64];
	struct local_request r = {
		.user = a->user, .runtime = a->runtime, .cgroup_manager = a->cgroups, .auto_remove = a->rm,
		.log = { a->log_size, (unsigned)MIN(a->log_files, 1000u) },
	};

	if (!a->rootfs && c->operand_count == 0) {
		*ret_status = CLI_USAGE;
		return err_new(EINVAL, "name an image, or a directory with --rootfs");
	}
	TRY(arena_new(64 << 20, &arena));
	TRY(local_open(NULL, &l));
	TRY(usage(choose_network(l, a, &netns, &r.network), ret_status));
	r.netns_path = netns.len ? netns.data : NULL;
	r.image_text = a->rootfs ? NULL : c->operands[0];
	if (a->name)
		snprintf(name, sizeof(name), "%s", a->name);
	else
		TRY(local_new_name(l, name));
	TRY(usage(run_pod(arena, a, a->name ? a->name : name, r.image_text, c->operands + !a->rootfs, &r.pod), ret_status));
	if (a->rootfs) {
		char *full = realpath(a->rootfs, NULL);
		if (!full)
			return err_errno("--rootfs: '%s'", a->rootfs);
		str_add(&rootfs, full);
		free(full);
		r.rootfs = rootfs.data;
	} else {
		TRY(find_image(c, arena, &r, &store));
	}
	TRY(local_create(l, &r, &sock));
	/* Its lease keeps the image. Held any longer, the store's lock would keep a gc waiting for its end. */
	image_store_free(TAKE(store));
	err *e = a->detach ? run_detached(name, sock) : run_attached(l, a, name, sock, ret_status);
	if (e || (a->rm && !a->detach)) {
		fd_clear(&sock);
		err *gone = remove_ended(l, name);
		if (e)
			err_free(gone);
		else
			return gone;
	}
	return err_wrap(e, "container '%s'", name);
}

const struct cli_command cmd_run = {
	.name = "run",
	.group = "Commands for this machine",
	.operands = "[IMAGE] [COMMAND [ARGUMENT]...]",
	.summary = "Run a service in a sandbox of its own",
	.example = "stube run --rm registry.example.org/dienste/portal:1\n"
		   "stube run --detach --name db --volume /srv/db:/data registry.example.org/dienste/db:3\n"
		   "stube run --rm --interactive --tty --rootfs /srv/debian /bin/sh",
	.notes = "Networks:\n"
		 "  none            loopback alone, in a network of its own\n"
		 "  host            the network of this machine\n"
		 "  container:NAME  the network of a container that runs\n"
		 "  ns:PATH         a network namespace, such as ns:/run/netns/amt\n"
		 "\n"
		 "With --userns auto user 0 of the container is the first of 65536 ids of this\n"
		 "machine that belong to it alone: from the range that /etc/subuid and\n"
		 "/etc/subgid give to 'stube' or 'containers', else from 1073741824 on. Files in\n"
		 "an image and in a volume keep their owners: what user 10001 owns on disk, user\n"
		 "10001 of the container owns.\n"
		 "\n"
		 "The exit status is the container's, or 128 and the number of the signal that\n"
		 "ended it. A limit whose cgroup controller this machine lacks is an error, never\n"
		 "ignored.",
	.options = options,
	.args_size = sizeof(struct run_args),
	.min = 0,
	.max = SIZE_MAX,
	.stop_at_operand = true,
	.defaults = defaults,
	.run = run_run,
};
