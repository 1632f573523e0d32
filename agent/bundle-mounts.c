/* agent/bundle-mounts.c: what is mounted where in the container. */
#include <string.h>

#include "agent/bundle-internal.h"

enum { MOUNTS_MAX = 320 };

struct row {
	const char *destination, *type, *source;
	const char *options; /* separated by commas */
};

/* clang-format off */
static const struct row always[] = {
	{ "/proc",       "proc",   "proc",   "nosuid,noexec,nodev" },
	{ "/dev",        "tmpfs",  "tmpfs",  "nosuid,noexec,strictatime,mode=755,size=65536k" },
	{ "/dev/pts",    "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5" },
	{ "/dev/shm",    "tmpfs",  "shm",    "nosuid,noexec,nodev,mode=1777,size=65536k" },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" },
};
static const struct row sys_own  = { "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro" };
/* sysfs belongs to a network namespace; who does not own it can only bind the host's. */
static const struct row sys_bind = { "/sys", "bind", "/sys", "rbind,nosuid,noexec,nodev,ro" };
static const struct row cgroup   = { "/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro" };
static const struct row scratch[] = {
	{ "/tmp", "tmpfs", "tmpfs", "nosuid,nodev,mode=1777" },
	{ "/run", "tmpfs", "tmpfs", "nosuid,nodev,mode=755" },
};
/* clang-format on */

struct list {
	struct arena *arena;
	struct oci_config *config;
};

static err *split(struct arena *arena, const char *text, struct strings *ret)
{
	size_t count = 1;

	for (const char *p = text; (p = strchr(p, ',')); p++)
		count++;
	TRY_ALLOC(arena, ret->items, arena_array(arena, count, sizeof(char *)));
	for (const char *p = text; ret->count < count; p += strcspn(p, ",") + 1)
		TRY_ALLOC(arena, ret->items[ret->count++], arena_strndup(arena, p, strcspn(p, ",")));
	return NULL;
}

static err *add(struct list *l, const struct row *row, struct oci_mount **ret)
{
	struct oci_mount *m = &l->config->mounts.items[l->config->mounts.count];

	if (l->config->mounts.count == MOUNTS_MAX)
		return err_new(E2BIG, "more than %d mounts", MOUNTS_MAX);
	l->config->mounts.count++;
	m->destination = row->destination;
	m->type = row->type;
	m->source = row->source;
	TRY(split(l->arena, row->options, &m->options));
	if (ret)
		*ret = m;
	return NULL;
}

static bool is_mounted(const struct pod_container *c, const char *path)
{
	for (size_t i = 0; i < c->mounts.count; i++)
		if (str_equal(c->mounts.items[i].mount_path, path))
			return true;
	return false;
}

static const struct pod_volume *find_volume(const struct pod *pod, const char *name)
{
	for (size_t i = 0; i < pod->spec.volumes.count; i++)
		if (str_equal(pod->spec.volumes.items[i].name, name))
			return &pod->spec.volumes.items[i];
	return NULL;
}

static err *add_memory(struct list *l, const struct pod_mount *m, const struct pod_empty_dir *e)
{
	const char *options = m->read_only ? "nosuid,nodev,mode=1777,ro" : "nosuid,nodev,mode=1777";

	if (e->size_limit.given)
		TRY_ALLOC(l->arena, options, arena_printf(l->arena, "%s,size=%lld", options,
							  (long long)quantity_units(&e->size_limit)));
	return add(l, &(struct row){ m->mount_path, "tmpfs", "tmpfs", options }, NULL);
}

/* Files of the host keep their owners as the container's ids: 0 on disk is 0 inside. As Kubernetes does it
 * for Pods with user namespaces. No set-id programs and no devices come in that way. */
static err *add_bind(struct list *l, const struct bundle_input *in, const struct pod_mount *m, const char *source)
{
	struct oci_mount *mount;
	struct oci_id_mapping *map;
	const char *options = m->read_only ? "rbind,rprivate,nosuid,nodev,ro" : "rbind,rprivate,nosuid,nodev,rw";

	/* Ids that are the caller's own (rootless) need no mapping, nor may the caller map. Id-mapping of a whole
	 * tree would reach into other file systems: one mount at a time. */
	if (in->ids.first > 0)
		options = m->read_only ? "bind,private,nosuid,nodev,ro,idmap" : "bind,private,nosuid,nodev,rw,idmap";
	TRY(add(l, &(struct row){ m->mount_path, "bind", source, options }, &mount));
	if (in->ids.first == 0)
		return NULL;
	TRY_ALLOC(l->arena, map, arena_alloc(l->arena, sizeof(*map)));
	*map = (struct oci_id_mapping){ 0, in->ids.first, in->ids.size };
	mount->uid_mappings.items = mount->gid_mappings.items = map;
	mount->uid_mappings.count = mount->gid_mappings.count = 1;
	return NULL;
}

static const char *claim_path(const struct bundle_input *in, const char *volume)
{
	for (size_t i = 0; i < in->claim_count; i++)
		if (str_equal(in->claims[i].volume, volume))
			return in->claims[i].path;
	return NULL;
}

static err *add_claim(struct list *l, const struct bundle_input *in, const struct pod_mount *m,
		      const struct pod_volume *v)
{
	struct pod_mount mount = *m;
	const char *path = claim_path(in, v->name);

	if (!path)
		return err_new(EINVAL, "volume '%s': claims are volumes of a cluster's nodes, not of a single machine", v->name);
	mount.read_only = m->read_only || v->claim->read_only;
	return add_bind(l, in, &mount, path);
}

static err *add_volume(struct list *l, const struct bundle_input *in, const struct pod_mount *m)
{
	const struct pod_volume *v = find_volume(in->pod, m->name);
	const char *source;

	if (!v)
		return err_new(EINVAL, "there is no volume '%s'", m->name);
	if (v->empty_dir && v->empty_dir->medium == POD_MEDIUM_MEMORY)
		return add_memory(l, m, v->empty_dir);
	if (v->empty_dir && v->empty_dir->size_limit.given)
		return err_new(EINVAL, "volume '%s': sizeLimit is only supported with medium: Memory", v->name);
	if (v->host_path)
		return add_bind(l, in, m, v->host_path->path);
	if (v->claim)
		return add_claim(l, in, m, v);
	TRY_ALLOC(l->arena, source, arena_printf(l->arena, "%s/%s", in->volumes_dir, v->name));
	return add_bind(l, in, m, source);
}

/* Files that we write for the container; never its to change. */
static err *add_files(struct list *l, const struct bundle_input *in)
{
	static const struct { const char *destination, *name; } files[] = {
		{ "/etc/hosts", "hosts" }, { "/etc/hostname", "hostname" }, { "/etc/resolv.conf", "resolv.conf" },
	};
	const struct pod_container *c = &in->pod->spec.containers.items[in->container];

	for (size_t i = 0; i < ARRAY_LEN(files) - !in->resolv_conf; i++) {
		const char *source;
		if (is_mounted(c, files[i].destination))
			continue;
		TRY_ALLOC(l->arena, source, arena_printf(l->arena, "%s/%s", in->dir, files[i].name));
		TRY(add(l, &(struct row){ files[i].destination, "bind", source, "bind,private,nosuid,noexec,nodev,ro" },
			NULL));
	}
	return NULL;
}

err *bundle_mounts(struct arena *arena, const struct bundle_input *in, struct oci_config *config)
{
	const struct pod_container *c = &in->pod->spec.containers.items[in->container];
	struct list l = { arena, config };
	/* In a sandbox, user and network namespace belong together. */
	bool owns_net = in->network == BUNDLE_NET_NEW || (in->join && in->join->net);

	TRY_ALLOC(arena, config->mounts.items, arena_array(arena, MOUNTS_MAX, sizeof(struct oci_mount)));
	for (size_t i = 0; i < ARRAY_LEN(always); i++) {
		struct row row = always[i];
		/* A user namespace of one id has no group 5 (tty). */
		if (strcmp(row.type, "devpts") == 0 && in->ids.size > 0 && in->ids.size <= 5)
			row.options = "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620";
		TRY(add(&l, &row, NULL));
	}
	TRY(add(&l, owns_net || in->ids.size == 0 ? &sys_own : &sys_bind, NULL));
	if (in->cgroups_path)
		TRY(add(&l, &cgroup, NULL));
	for (size_t i = 0; i < ARRAY_LEN(scratch); i++)
		if (!is_mounted(c, scratch[i].destination))
			TRY(add(&l, &scratch[i], NULL));
	TRY(add_files(&l, in));
	for (size_t i = 0; i < c->mounts.count; i++)
		TRY(add_volume(&l, in, &c->mounts.items[i]));
	return NULL;
}
