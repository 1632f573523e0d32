/* agent/local-create.c: a new local container, up to the point where its process waits for its start. */
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/cgroup.h"
#include "agent/ids.h"
#include "agent/local-internal.h"
#include "agent/place.h"
#include "agent/slices.h"
#include "agent/volumes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "images/mount.h"

/* What local_create() gathers on its way. */
struct making {
	struct local *l;
	const struct local_request *request;
	struct arena *arena;
	struct local_dirs dirs;
	struct local_record record;
	struct bundle_input input;
	struct bundle_result result;
	int lock_fd, root_fd, userns_fd, lease_fd;
};

static bool still_there(const char *owner, void *arg)
{
	return local_owner_exists(arg, owner);
}

/* ---- the root ---- */

static err *mount_directory(struct making *m)
{
	const char *path = m->request->rootfs;
	auto_close int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		return err_errno("open the directory '%s'", path);
	struct mount_attr attr = { .attr_clr = m->request->rootfs_exec ? MOUNT_ATTR_NOEXEC : 0 };
	if (m->userns_fd >= 0) {
		attr.attr_set = MOUNT_ATTR_IDMAP;
		attr.userns_fd = (uint64_t)m->userns_fd;
	}
	if (attr.attr_set || attr.attr_clr) {
		if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
			return err_errno("map the ids of the directory '%s'", path);
	}
	m->root_fd = TAKE_FD(fd);
	return NULL;
}

static err *mount_layers(struct making *m, int *layer_fds, const char **names)
{
	const struct oci_rootfs *rootfs = &m->request->image->config->rootfs;
	bool indexes = image_index_supported(image_store_fd(m->request->store));
	auto_close int pins = -1;

	for (size_t i = 0; i < rootfs->diff_ids.count; i++) {
		char text[DIGEST_TEXT_MAX];
		TRY(image_layer_open(m->request->store, &rootfs->diff_ids.items[i], &layer_fds[i]));
		TRY_ALLOC(m->arena, names[i],
			  arena_strdup(m->arena, digest_file_name(&rootfs->diff_ids.items[i], text)));
	}
	/* For trees as well: kernels before 6.15 want a place for mapped layers, for a moment. */
	TRY(place_open(m->l->pins, &pins));
	struct image_root_options o = {
		.layer_fds = layer_fds,
		.layer_names = names,
		.layer_count = rootfs->diff_ids.count,
		.pins_fd = pins,
		.trees = !indexes,
		.extract = { .user_namespace = !place_is_root() },
		.userns_fd = place_is_root() ? m->userns_fd : -1,
		.state_fd = m->dirs.keep_fd,
		.volatile_upper = true,
	};
	return image_root_mount(&o, &m->root_fd);
}

static err *mount_image(struct making *m)
{
	size_t count = m->request->image->config->rootfs.diff_ids.count;
	int *layer_fds;
	const char **names;

	TRY(image_lease_take(m->request->store, m->record.name, &m->request->image->digest, &m->lease_fd));
	TRY_ALLOC(m->arena, layer_fds, arena_array(m->arena, count, sizeof(int)));
	TRY_ALLOC(m->arena, names, arena_array(m->arena, count, sizeof(char *)));
	for (size_t i = 0; i < count; i++)
		layer_fds[i] = -1;
	err *e = mount_layers(m, layer_fds, names);
	for (size_t i = 0; i < count; i++)
		fd_close(layer_fds[i]);
	return e;
}

static err *make_root(struct making *m)
{
	if (m->record.ids.size > 0 && place_is_root() && m->request->join && m->request->join->user) {
		m->userns_fd = open(m->request->join->user, O_RDONLY | O_CLOEXEC);
		if (m->userns_fd < 0)
			return err_errno("open '%s'", m->request->join->user);
	} else if (m->record.ids.size > 0 && place_is_root()) {
		TRY(ids_userns(m->record.ids, &m->userns_fd));
	}
	return m->request->rootfs ? mount_directory(m) : mount_image(m);
}

/* ---- volumes ---- */

static bool type_fits(int wanted, mode_t mode)
{
	static const mode_t modes[] = {
		[POD_PATH_DIRECTORY] = S_IFDIR,   [POD_PATH_FILE] = S_IFREG,          [POD_PATH_SOCKET] = S_IFSOCK,
		[POD_PATH_CHAR_DEVICE] = S_IFCHR, [POD_PATH_BLOCK_DEVICE] = S_IFBLK,
	};

	return wanted <= POD_PATH_ANY || (mode & S_IFMT) == modes[wanted];
}

static err *check_host_paths(const struct pod_spec *spec)
{
	for (size_t i = 0; i < spec->volumes.count; i++) {
		const struct pod_host_path_source *h = spec->volumes.items[i].host_path;
		struct stat st;
		if (!h)
			continue;
		if (stat(h->path, &st) < 0)
			return err_errno("volume '%s': '%s'", spec->volumes.items[i].name, h->path);
		if (!type_fits(h->type, st.st_mode))
			return err_new(EINVAL, "volume '%s': '%s' is of another type than the Pod says",
				       spec->volumes.items[i].name, h->path);
	}
	return NULL;
}

/* ---- names, records ---- */

/* Folders and lock of a name that nobody has. A command that tidies up may take the folder away before it is
 * locked: then once more. */
/* How long another command may hold the lock of a name that has no record yet: it tidies a killed
 * create's folder, or is about to write the record of its own. */
#define CLAIM_TRIES   200
#define CLAIM_WAIT_NS (10 * NSEC_PER_MSEC)

static err *claim_name(struct making *m)
{
	const char *name = m->record.name;
	struct stat st;

	for (int attempt = 0; attempt < CLAIM_TRIES; attempt++) {
		local_dirs_done(&m->dirs);
		TRY(local_dirs_open(m->l, name, true, &m->dirs));
		err *e = local_lock(&m->dirs, &m->lock_fd);
		if (e && e->code == ESTALE) {
			err_free(e);
			continue;
		}
		TRY(e);
		if (fstatat(m->dirs.keep_fd, "container.json", &st, 0) == 0) {
			fd_clear(&m->lock_fd);
			return err_hint(err_new(EEXIST, "there is a container '%s' already", name),
					"Remove it with: stube rm --force %s", name);
		}
		if (errno != ENOENT) {
			fd_clear(&m->lock_fd);
			return err_errno("look for container '%s'", name);
		}
		if (m->lock_fd >= 0)
			return NULL;
		nanosleep(&(struct timespec){ .tv_nsec = CLAIM_WAIT_NS }, NULL);
	}
	return err_new(EBUSY, "container '%s' is being made or removed by another command", name);
}

/* Cgroups are the machine's, names are a folder's: two folders may hold the same name. A Pod's slice is its
 * own. */
static err *choose_cgroup(struct making *m, bool systemd)
{
	const char *slice = m->request->slice;
	unsigned draw;

	if (slice) {
		TRY_ALLOC(m->arena, m->record.cgroups_path,
			  arena_printf(m->arena, systemd ? "%s:stube:%s" : "%s/%s",
				       systemd ? slices_unit(slice) : slice, m->record.name));
		return NULL;
	}
	if (getrandom(&draw, sizeof(draw), 0) != sizeof(draw))
		return err_errno("draw a name");
	TRY_ALLOC(m->arena, m->record.cgroups_path,
		  arena_printf(m->arena, systemd ? "system.slice:stube:%s-%08x" : "/stube/%s-%08x", m->record.name, draw));
	return NULL;
}

static err *choose_runtime(struct making *m)
{
	auto_str struct str path = STR_INIT(PATH_MAX);
	struct strings *args = &m->record.runtime_args;
	const char *manager = m->request->cgroup_manager;

	/* An ordinary user has no cgroup to make others in, unless it says who makes them. */
	if (!manager && !place_is_root())
		manager = "disabled";
	TRY(local_runtime(m->l, m->request->runtime, &path));
	TRY_ALLOC(m->arena, m->record.runtime, arena_strdup(m->arena, path.data));
	TRY_ALLOC(m->arena, args->items, arena_array(m->arena, 2, sizeof(char *)));
	/* A folder of its own: names of ours and of other callers of the runtime do not meet. */
	TRY_ALLOC(m->arena, args->items[args->count++], arena_printf(m->arena, "--root=%s/runtime", m->l->run_base));
	if (manager)
		TRY_ALLOC(m->arena, args->items[args->count++],
			  arena_printf(m->arena, "--cgroup-manager=%s", manager));
	return str_equal(manager, "disabled") ? NULL : choose_cgroup(m, str_equal(manager, "systemd"));
}

static err *choose_ids(struct making *m)
{
	uint32_t inside;

	if (m->request->pod->spec.host_users)
		return NULL;
	if (m->request->ids.size > 0) {
		m->record.ids = m->request->ids;
		return NULL;
	}
	if (m->request->join && m->request->join->user)
		return err_new(EINVAL, "a joined user namespace has ids of its own, which nobody named");
	if (place_is_root())
		return ids_take(m->l->base_fd, m->record.name, still_there, m->l, &m->record.ids);
	/* Inside a rootless caller's user namespace: all of its ids, once more, below it. */
	TRY(ids_own(&inside));
	m->record.ids = (struct id_range){ 0, inside };
	return NULL;
}

/* In a network of its own that leads nowhere, the host's name servers are of no use. */
static bool wants_resolv_conf(const struct local_request *r)
{
	bool leads = r->network == BUNDLE_NET_HOST || (r->network == BUNDLE_NET_JOIN && !r->join);

	return leads && access("/etc/resolv.conf", R_OK) == 0;
}

static err *make_claims(struct making *m)
{
	const struct pod_container *c = &m->request->pod->spec.containers.items[m->request->container];

	for (size_t i = 0; i < m->request->claim_count; i++)
		for (size_t j = 0; j < c->mounts.count; j++)
			if (str_equal(c->mounts.items[j].name, m->request->claims[i].volume))
				TRY(volumes_claim_make(m->request->claims[i].path, m->result.uid, m->result.gid));
	return NULL;
}

static err *write_bundle(struct making *m, char path[static PATH_MAX])
{
	auto_close int fd = -1;

	if (mkdirat(m->dirs.run_fd, "bundle", 0700) < 0 || mkdirat(m->dirs.run_fd, "bundle/rootfs", 0700) < 0)
		return err_errno("make the bundle");
	fd = openat(m->dirs.run_fd, "bundle", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open the bundle");
	snprintf(path, PATH_MAX, "%.*s/bundle", PATH_MAX - 8, m->dirs.run);
	m->input = (struct bundle_input){
		.pod = m->request->pod,
		.container = m->request->container,
		.image = m->request->image ? &m->request->image->config->config : NULL,
		.root_fd = m->root_fd,
		.user = m->request->user,
		.ids = m->record.ids,
		.network = m->request->network,
		.netns_path = m->request->netns_path,
		.join = m->request->join,
		.claims = m->request->claims,
		.claim_count = m->request->claim_count,
		.volumes_dir = m->request->volumes_dir,
		.dir = path,
		.resolv_conf = wants_resolv_conf(m->request),
		.cgroups_path = m->record.cgroups_path,
		.standing = m->request->standing,
		.oom_group = m->record.cgroups_path && cgroup_has("memory"),
		.no_weights = !cgroup_has("cpu"),
	};
	if (!m->input.volumes_dir)
		TRY_ALLOC(m->arena, m->input.volumes_dir, arena_printf(m->arena, "%s/volumes", m->dirs.keep));
	TRY(bundle_decide(m->arena, &m->input, &m->result));
	TRY(make_claims(m));
	if (!monitor_signal_number(m->result.stop_signal))
		return err_new(EINVAL, "the stop signal '%s' is unknown", m->result.stop_signal);
	return bundle_write(fd, &m->input, &m->result.config);
}

/* The store's full path: whoever adopts the container may stand in another directory. */
static err *store_place(struct making *m)
{
	char fd_path[PATH_FD_MAX], path[PATH_MAX];
	ssize_t len = readlink(path_of_fd(image_store_fd(m->request->store), fd_path), path, sizeof(path));

	if (len < 0)
		return err_errno("find the image store");
	TRY_ALLOC(m->arena, m->record.store, arena_strndup(m->arena, path, (size_t)len));
	return NULL;
}

static err *write_record(struct making *m)
{
	const struct local_request *r = m->request;

	m->record.version = LOCAL_VERSION;
	m->record.created = clock_real();
	m->record.image = r->image_text;
	m->record.rootfs = r->rootfs;
	m->record.pod = *r->pod;
	m->record.container = (uint32_t)r->container;
	m->record.user = r->user;
	m->record.network = (int)r->network;
	m->record.netns_path = r->netns_path;
	m->record.stop_signal = m->result.stop_signal;
	m->record.log = r->log;
	m->record.auto_remove = r->auto_remove;
	if (r->image) {
		char text[DIGEST_TEXT_MAX];
		TRY_ALLOC(m->arena, m->record.image_digest,
			  arena_strdup(m->arena, digest_text(&r->image->digest, text)));
		TRY(store_place(m));
	}
	return local_record_write(m->dirs.keep_fd, &m->record);
}

/* Containers lie beside, and those of other users pass through: whatever our umask is. */
static void open_parent(const char *dir)
{
	char parent[128];

	snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(dir, '/') - dir), dir);
	(void)!chmod(parent, 0755);
}

/* Where the monitor lives while its caller's session may be ended as a whole: a cgroup beside the
 * containers', for those of Pods within what all Pods may have. NULL where there is none to make. */
static const char *monitor_cgroup(const struct making *m)
{
	static const struct {
		const char *root, *dirs[2];
	} rows[] = {
		{ "/sys/fs/cgroup", { "/sys/fs/cgroup/stube/monitors", "/sys/fs/cgroup" SLICES_MONITORS } },
		{ "/sys/fs/cgroup/unified",
		  { "/sys/fs/cgroup/unified/stube/monitors", "/sys/fs/cgroup/unified" SLICES_MONITORS } },
	};
	struct statfs fs;

	for (size_t i = 0; m->record.cgroups_path && place_is_root() && i < ARRAY_LEN(rows); i++)
		if (statfs(rows[i].root, &fs) == 0 && fs.f_type == 0x63677270 /* CGROUP2_SUPER_MAGIC */) {
			const char *dir = rows[i].dirs[m->request->slice != NULL];
			err *e = path_mkdir_all(dir, 0755);
			bool made = !e;
			err_free(e);
			open_parent(dir);
			return made && access(dir, W_OK) == 0 ? dir : NULL;
		}
	return NULL;
}

static err *start_monitor(struct making *m, const char *bundle, int *ret_sock)
{
	const struct pod_container *c = &m->request->pod->spec.containers.items[m->request->container];
	char program[PATH_MAX];
	auto_strv struct strv args = STRV_INIT(64);
	auto_close int sock = -1;
	pid_t pid;

	for (size_t i = 0; i < m->record.runtime_args.count; i++)
		strv_add(&args, m->record.runtime_args.items[i]);
	TRY(strv_check(&args));
	struct monitor_options o = {
		.id = m->record.name, .dir = m->dirs.run, .keep = m->dirs.keep, .runtime = m->record.runtime,
		.runtime_args = args, .bundle = bundle, .tty = c->tty, .interactive = c->stdin_open,
		.log = true, .limits = m->request->log, .cgroup = monitor_cgroup(m),
		.starter_fd = -1, .root_fd = m->root_fd, .lock_fd = m->lock_fd, .lease_fd = m->lease_fd,
	};
	TRY(monitor_spawn(local_monitor(m->l, program), &o, &sock));
	err *e = monitor_wait_created(sock, &pid);
	if (e) {
		/* It tidies up before it goes; a next try must not meet it. */
		monitor_wait_gone(sock);
		return e;
	}
	*ret_sock = TAKE_FD(sock);
	return NULL;
}

static err *make(struct making *m, int *ret_sock)
{
	char bundle[PATH_MAX];

	TRY(check_host_paths(&m->request->pod->spec));
	TRY(choose_runtime(m));
	TRY(choose_ids(m));
	TRY(make_root(m));
	if (!m->request->volumes_dir)
		TRY(volumes_make(m->dirs.keep_fd, &m->request->pod->spec));
	TRY(write_bundle(m, bundle));
	TRY(write_record(m));
	return start_monitor(m, bundle, ret_sock);
}

err *local_create(struct local *l, const struct local_request *request, int *ret_sock)
{
	auto_arena struct arena *arena = NULL;
	struct making m = {
		.l = l, .request = request, .dirs = LOCAL_DIRS_NONE,
		.lock_fd = -1, .root_fd = -1, .userns_fd = -1, .lease_fd = -1,
	};

	TRY(arena_new(32 << 20, &arena));
	TRY(pod_check(request->pod));
	m.arena = arena;
	m.record.name = request->name ? request->name : request->pod->metadata.name;
	err *e = claim_name(&m);
	if (!e) {
		e = make(&m, ret_sock);
		fd_clear(&m.root_fd);
		if (e && m.record.ids.first != 0 && request->ids.size == 0)
			IGNORE(ids_give(l->base_fd, m.record.name, m.record.ids));
		if (e)
			IGNORE(local_erase(l, m.record.name));
	}
	fd_close(m.lock_fd);
	fd_close(m.root_fd);
	fd_close(m.userns_fd);
	fd_close(m.lease_fd);
	local_dirs_done(&m.dirs);
	return e;
}
