/* runtime/plan-mounts-idmap.c: id-mapped mounts: from which of three places the map comes. */
#include <fcntl.h>
#include <sched.h>

#include "base/fd.h"
#include "runtime/idmap.h"
#include "runtime/kernel.h"
#include "runtime/plan-mounts-internal.h"

#define RANGES_MAX 340 /* of a user namespace: user_namespaces(7) */

static bool take_number(const char **at, uint32_t *ret)
{
	char digits[16];
	size_t n = strspn(*at, "0123456789");
	uint64_t value;

	if (n == 0 || n >= sizeof digits)
		return false;
	memcpy(digits, *at, n);
	digits[n] = '\0';
	if (!str_to_u64(digits, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	*at += n;
	return true;
}

static bool take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* The whole range, or a part of it would be somebody else's. */
static bool to_host(const struct oci_id_mappings *maps, struct oci_id_mapping *range)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct oci_id_mapping *m = &maps->items[i];

		if (range->host_id < m->container_id || range->host_id - m->container_id >= m->size ||
		    range->size > m->size - (range->host_id - m->container_id))
			continue;
		range->host_id = m->host_id + (range->host_id - m->container_id);
		return true;
	}
	return false;
}

/* One kind, up to ';' or the end. */
static err *take_ranges(struct arena *arena, const char **at, const struct oci_id_mappings *container,
			struct oci_id_mappings *ret)
{
	struct oci_id_mapping *items;

	TRY_ALLOC(arena, items, arena_array(arena, RANGES_MAX, sizeof *items));
	ret->items = items;
	for (ret->count = 0; ret->count < RANGES_MAX; ret->count++) {
		struct oci_id_mapping *r = &items[ret->count];
		bool relative = take_char(at, '@');

		if (!take_number(at, &r->container_id) || !take_char(at, '-') ||
		    !take_number(at, &r->host_id) || !take_char(at, '-') || !take_number(at, &r->size))
			return err_new(EINVAL, "expected FIRST-SHOWN-SIZE");
		if (relative && !to_host(container, r))
			return err_new(EINVAL, "%u-%u-%u: not in one range of the container's map",
				       r->container_id, r->host_id, r->size);
		if (!take_char(at, '#')) {
			ret->count++;
			return NULL;
		}
	}
	return err_new(E2BIG, "more than %d ranges", RANGES_MAX);
}

/* All ids as they are. */
static err *identity(struct arena *arena, struct oci_id_mappings *ret)
{
	TRY_ALLOC(arena, ret->items, arena_alloc(arena, sizeof *ret->items));
	ret->items[0] = (struct oci_id_mapping){ 0, 0, UINT32_MAX };
	ret->count = 1;
	return NULL;
}

err *plan_parse_maps(struct arena *arena, const char *text, const struct oci_id_mappings *container_uids,
		     const struct oci_id_mappings *container_gids, struct oci_id_mappings *ret_uids,
		     struct oci_id_mappings *ret_gids)
{
	const char *at = text;

	*ret_uids = *ret_gids = (struct oci_id_mappings){ 0 };
	while (*at) {
		bool uids = str_starts_with(at, "uids="), gids = str_starts_with(at, "gids=");

		if (!uids && !gids)
			return err_new(EINVAL, "idmap=%s: expected uids= or gids=", text);
		at += strlen("uids=");
		TRY(err_wrap(take_ranges(arena, &at, uids ? container_uids : container_gids,
					 uids ? ret_uids : ret_gids),
			     "idmap=%s: %s", text, uids ? "uids" : "gids"));
		if (*at && !take_char(&at, ';'))
			return err_new(EINVAL, "idmap=%s: unexpected '%.20s'", text, at);
	}
	if (ret_uids->count == 0 && ret_gids->count == 0)
		return err_new(EINVAL, "idmap=%s: expected uids= or gids=", text);
	if (ret_uids->count == 0)
		TRY(identity(arena, ret_uids));
	if (ret_gids->count == 0)
		TRY(identity(arena, ret_gids));
	TRY(idmap_check("idmap=: uids", ret_uids));
	return idmap_check("idmap=: gids", ret_gids);
}

/* A user namespace that the container joins by path has its maps already. */
static int joined_user_namespace(const struct plan_source *s)
{
	for (unsigned i = 0; i < s->namespaces->join_count; i++)
		if (s->namespaces->joins[i].type == CLONE_NEWUSER)
			return fd_dup(s->namespaces->joins[i].fd);
	return -1;
}

static err *find_namespace(const struct plan_source *s, const struct oci_mount *m,
			   const struct mount_spec *spec, int *ret_fd)
{
	const struct oci_linux *l = &s->config->linux;
	struct oci_id_mappings uids = m->uid_mappings, gids = m->gid_mappings;

	if (uids.count == 0 && spec->maps)
		TRY(plan_parse_maps(s->arena, spec->maps, &l->uid_mappings, &l->gid_mappings, &uids, &gids));
	else if (uids.count == 0 && (*ret_fd = joined_user_namespace(s)) >= 0)
		return NULL;
	else if (uids.count == 0) {
		uids = l->uid_mappings;
		gids = l->gid_mappings;
	}
	if (uids.count == 0)
		return err_new(EINVAL, "idmap: neither the mount nor linux has uidMappings");
	return idmap_namespace(s->proc_fd, &uids, &gids, ret_fd);
}

err *plan_id_map(const struct plan_source *s, const struct oci_mount *m, const struct mount_spec *spec,
		 int tree)
{
	auto_close int ns = -1;

	if (tree < 0)
		return err_new(EPERM, "an id-mapped mount needs CAP_SYS_ADMIN");
	TRY(find_namespace(s, m, spec, &ns));
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)ns };
	if (k_mount_setattr(tree, "", AT_EMPTY_PATH | (spec->ridmap ? AT_RECURSIVE : 0u), &attr) < 0)
		return err_errno("id-map");
	return NULL;
}

static err *set_option(int fs, const char *option)
{
	const char *equals = strchr(option, '=');
	char key[256];

	snprintf(key, sizeof key, "%.*s", (int)(equals ? equals - option : (ptrdiff_t)strlen(option)),
		 option);
	if (k_fsconfig(fs, equals ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
		       equals ? equals + 1 : NULL) < 0)
		return err_errno("option '%s'", option);
	return NULL;
}

err *plan_mapped_file_system(const struct plan_source *s, const struct oci_mount *m,
			     const struct mount_spec *spec, int *ret_fd)
{
	auto_close int fs = k_fsopen(m->type);

	if (fs < 0)
		return err_errno("file system '%s'", m->type);
	if (m->source && k_fsconfig(fs, FSCONFIG_SET_STRING, "source", m->source) < 0)
		return err_errno("source '%s'", m->source);
	for (size_t i = 0; i < spec->data.count; i++)
		TRY(set_option(fs, spec->data.items[i]));
	if (k_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return err_errno("make the file system");
	auto_close int tree = k_fsmount(fs, (unsigned)spec->set);
	if (tree < 0)
		return err_errno("mount the file system");
	err *e = plan_id_map(s, m, spec, tree);
	if (e)
		return e->code == EINVAL ? err_hint(e, "tmpfs has id maps since Linux 6.3.") : e;
	*ret_fd = TAKE_FD(tree);
	return NULL;
}
