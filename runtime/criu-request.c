/* runtime/criu-request.c: options of checkpoint and restore as fields of CRIU's criu_opts (images/rpc.proto).
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/decode.h"
#include "base/fd.h"
#include "base/path.h"
#include "runtime/annotations.h"
#include "runtime/checkpoint.h"
#include "runtime/criu-wire.h"

enum {
	DUMPS = 1 << CRIU_DUMP | 1 << CRIU_PRE_DUMP,
	RESTORES = 1 << CRIU_RESTORE,
	BOTH = DUMPS | RESTORES,
	LOG_LEVEL = 4, /* as runc and crun: with less, CRIU's reports say too little */
};

/* Fields of criu_opts, where no table below has them. */
enum {
	FIELD_IMAGES = 1,
	FIELD_LOG_LEVEL = 9,
	FIELD_LOG_FILE = 10,
	FIELD_PAGE_SERVER = 11,
	FIELD_PARENT = 14,
	FIELD_TRACK_MEMORY = 15,
	FIELD_WORK_DIR = 17,
	FIELD_MOUNT = 23,
	FIELD_MANAGE_CGROUPS = 24,
	FIELD_CGROUP_ROOT = 25,
	FIELD_INHERIT = 27,
	FIELD_CGROUPS_MODE = 34,
	FIELD_EXTERNAL = 37,
	FIELD_JOIN = 39,
	FIELD_STATUS_FD = 49,
	FIELD_CONFIG = 51,
	FIELD_NETWORK_LOCK = 64,
};

/* Always: notifications come; a terminal's other end is sent to us; the restored init is our child; devices
 * count by their number, whatever path leads to them. */
static const struct {
	unsigned field, kinds;
} always[] = {
	{ 12, BOTH },
	{ 50, BOTH },
	{ 26, RESTORES },
	{ 6, RESTORES },
};

/* clang-format off */
static const struct {
	size_t offset;
	unsigned field, kinds;
} flags[] = {
	{ offsetof(struct criu_options, leave_running),      3,  DUMPS },
	{ offsetof(struct criu_options, ext_unix_sk),        4,  BOTH },
	{ offsetof(struct criu_options, tcp_established),    5,  BOTH },
	{ offsetof(struct criu_options, shell_job),          7,  BOTH },
	{ offsetof(struct criu_options, file_locks),         8,  BOTH },
	{ offsetof(struct criu_options, auto_dedup),         16, BOTH },
	{ offsetof(struct criu_options, link_remap),         18, DUMPS },
	{ offsetof(struct criu_options, tcp_skip_in_flight), 46, DUMPS },
	{ offsetof(struct criu_options, lazy_pages),         48, BOTH },
	{ offsetof(struct criu_options, tcp_close),          52, BOTH },
};

static const struct {
	size_t offset;
	unsigned field, kinds;
} texts[] = {
	{ offsetof(struct criu_options, lsm_profile),       53, RESTORES },
	{ offsetof(struct criu_options, lsm_mount_context), 63, RESTORES },
};

static const struct enum_name cgroup_modes[] = {
	{ "ignore", 0 }, { "none", 1 }, { "props", 2 }, { "soft", 3 }, { "full", 4 }, { "strict", 5 }, { NULL, 0 },
};
static const struct enum_name network_locks[] = { { "iptables", 1 }, { "nftables", 2 }, { "skip", 3 }, { NULL, 0 } };
/* clang-format on */

void criu_work_done(struct criu_work *w)
{
	fd_clear(&w->image_fd);
	fd_clear(&w->work_fd);
	str_done(&w->request);
}

static bool given(const char *text)
{
	return text && *text;
}

/* ---- directories ---- */

static err *open_directory(const char *option, const char *path, bool make, int *ret_fd)
{
	if (make)
		TRY(err_wrap(path_mkdir_all(path, 0700), "%s", option));
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno("%s: open '%s'", option, path) : NULL;
}

static err *check_parent(const struct criu_work *w, const char *path)
{
	struct stat st;

	if (!given(path))
		return NULL;
	if (*path == '/')
		return err_new(EINVAL, "--parent-path: '%s' must be relative to --image-path", path);
	if (fstatat(w->image_fd, path, &st, 0) < 0)
		return err_errno("--parent-path: '%s' in --image-path", path);
	return S_ISDIR(st.st_mode) ? NULL : err_new(ENOTDIR, "--parent-path: '%s' is not a directory", path);
}

/* ---- fields ---- */

static bool flag_at(const struct criu_options *o, size_t offset)
{
	return *(const bool *)((const char *)o + offset);
}

static const char *text_at(const struct criu_options *o, size_t offset)
{
	return *(const char *const *)((const char *)o + offset);
}

static err *add_page_server(struct criu_work *w, const char *text)
{
	auto_str struct str server = STR_INIT(1024);
	char address[256];
	uint64_t port = 0;

	if (!given(text))
		return NULL;
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text || (size_t)(colon - text) >= sizeof address ||
	    !str_to_u64(colon + 1, &port) || port == 0 || port > UINT16_MAX)
		return err_new(EINVAL, "--page-server: '%s' is no ADDRESS:PORT", text);
	/* An IPv6 address stands in brackets, which are not part of it. */
	bool brackets = *text == '[' && colon[-1] == ']';
	snprintf(address, sizeof address, "%.*s", (int)(colon - text) - 2 * brackets, text + brackets);
	wire_add_text(&server, 1, address);
	wire_add_int(&server, 2, (int64_t)port);
	wire_add_message(&w->request, FIELD_PAGE_SERVER, &server);
	return NULL;
}

static err *add_network_lock(struct criu_work *w, const char *text)
{
	if (!given(text))
		return NULL;
	for (const struct enum_name *n = network_locks; n->name; n++) {
		if (!str_equal(n->name, text))
			continue;
		wire_add_int(&w->request, FIELD_NETWORK_LOCK, n->value);
		return NULL;
	}
	return err_new(EINVAL, "--network-lock: '%s' is not one of iptables, nftables, skip", text);
}

static err *add_status_fd(struct criu_work *w, int64_t fd)
{
	if (fd < 3)
		return NULL;
	int mode = fd > INT_MAX ? -1 : fcntl((int)fd, F_GETFL);
	if (mode < 0)
		return err_new(EBADF, "--status-fd: descriptor %lld is not open", (long long)fd);
	if ((mode & O_ACCMODE) == O_RDONLY)
		return err_new(EBADF, "--status-fd: descriptor %lld cannot be written", (long long)fd);
	wire_add_int(&w->request, FIELD_STATUS_FD, fd);
	return NULL;
}

/* The network is never CRIU's to describe: engines and hooks configure it, or it has nothing but the
 * loopback. */
static err *add_empty_namespaces(struct criu_work *w)
{
	const struct strv *list = &w->options->empty_ns;

	for (size_t i = 0; i < list->count; i++)
		if (!str_equal(list->items[i], "network"))
			return err_new(EINVAL, "--empty-ns: '%s' is not supported, network alone is",
				       list->items[i]);
	criu_add_int(w, CRIU_EMPTY_NS, CLONE_NEWNET);
	return NULL;
}

static err *add_options(struct criu_work *w, enum criu_type type)
{
	const struct criu_options *o = w->options;
	unsigned kind = 1u << type;

	wire_add_int(&w->request, FIELD_IMAGES, w->image_fd);
	wire_add_int(&w->request, FIELD_WORK_DIR, w->work_fd);
	wire_add_int(&w->request, FIELD_LOG_LEVEL, LOG_LEVEL);
	wire_add_text(&w->request, FIELD_LOG_FILE, type == CRIU_RESTORE ? "restore.log" : "dump.log");
	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (always[i].kinds & kind)
			wire_add_int(&w->request, always[i].field, true);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if ((flags[i].kinds & kind) && flag_at(o, flags[i].offset))
			wire_add_int(&w->request, flags[i].field, true);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].kinds & kind)
			criu_add_text(w, texts[i].field, text_at(o, texts[i].offset));
	if (type != CRIU_RESTORE) {
		criu_add_text(w, FIELD_PARENT, o->parent_path);
		/* Each pre-dump, and what follows one, tells from the kernel's marks which pages changed. */
		if (type == CRIU_PRE_DUMP || given(o->parent_path))
			wire_add_int(&w->request, FIELD_TRACK_MEMORY, true);
	}
	TRY(add_page_server(w, o->page_server));
	TRY(add_network_lock(w, o->network_lock));
	TRY(add_status_fd(w, o->status_fd));
	return add_empty_namespaces(w);
}

err *criu_work_begin(struct arena *arena, const struct criu_options *o, enum criu_type type, bool make,
		     struct criu_work *w)
{
	const char *images = given(o->image_path) ? o->image_path : "checkpoint";
	const char *work = given(o->work_path) ? o->work_path : images;

	w->options = o;
	if (geteuid() != 0)
		return err_new(EPERM, "checkpoint and restore need root");
	TRY(criu_find(arena, o->criu, &w->program));
	TRY(open_directory("--image-path", images, make, &w->image_fd));
	TRY(open_directory("--work-path", work, true, &w->work_fd));
	if (type != CRIU_RESTORE)
		TRY(check_parent(w, o->parent_path));
	return add_options(w, type);
}

static bool is_file(const char *path)
{
	return access(path, F_OK) == 0;
}

void criu_add_config(struct criu_work *w, const struct string_map *map)
{
	static const char *const files[] = { "/etc/criu/stube-runtime.conf", "/etc/criu/crun.conf",
					     "/etc/criu/runc.conf" };

	for (size_t i = 0; i < map->count; i++) {
		if (!str_equal(map->items[i].key, ANNOTATION_CRIU_CONFIG))
			continue;
		/* An empty one means: none but CRIU's own default files. */
		criu_add_text(w, FIELD_CONFIG, map->items[i].value);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (!is_file(files[i]))
			continue;
		criu_add_text(w, FIELD_CONFIG, files[i]);
		return;
	}
}

err *criu_add_cgroups(struct criu_work *w, bool ignore)
{
	const char *asked = w->options->manage_cgroups;
	const char *mode = given(asked) ? asked : ignore ? "ignore" : "soft";

	for (const struct enum_name *n = cgroup_modes; n->name; n++) {
		if (!str_equal(n->name, mode))
			continue;
		wire_add_int(&w->request, FIELD_MANAGE_CGROUPS, true);
		wire_add_int(&w->request, FIELD_CGROUPS_MODE, n->value);
		return NULL;
	}
	return err_new(EINVAL, "--manage-cgroups-mode: '%s' is not one of soft, full, strict, ignore", mode);
}

/* Two texts as a message of their own: ext_mount_map, join_namespace, cgroup_root. */
static void add_pair(struct criu_work *w, unsigned field, const char *first, const char *second)
{
	auto_str struct str pair = STR_INIT(4 * PATH_MAX);

	if (first)
		wire_add_text(&pair, 1, first);
	wire_add_text(&pair, 2, second);
	wire_add_message(&w->request, field, &pair);
}

void criu_add_mount(struct criu_work *w, const char *key, const char *value)
{
	add_pair(w, FIELD_MOUNT, key, value);
}

void criu_add_join(struct criu_work *w, const char *type, const char *path)
{
	add_pair(w, FIELD_JOIN, type, path);
}

void criu_add_cgroup_root(struct criu_work *w, const char *path)
{
	add_pair(w, FIELD_CGROUP_ROOT, NULL, path);
}

void criu_add_external(struct criu_work *w, const char *resource)
{
	wire_add_text(&w->request, FIELD_EXTERNAL, resource);
}

void criu_add_inherited(struct criu_work *w, const char *key, int fd)
{
	auto_str struct str inherit = STR_INIT(PATH_MAX);

	wire_add_text(&inherit, 1, key);
	wire_add_int(&inherit, 2, fd);
	wire_add_message(&w->request, FIELD_INHERIT, &inherit);
}

void criu_add_text(struct criu_work *w, unsigned field, const char *text)
{
	if (given(text))
		wire_add_text(&w->request, field, text);
}

void criu_add_int(struct criu_work *w, enum criu_field field, int64_t value)
{
	wire_add_int(&w->request, field, value);
}
