/* runtime/hotplug-record.c: which mounts were added to a container that runs: ROOT/ID/mounts.json. */
#include <fcntl.h>

#include "base/decode.h"
#include "base/file.h"
#include "runtime/hotplug.h"

#define RECORD_NAME    "mounts.json"
#define RECORD_VERSION 1

/* clang-format off */
static const struct type t_mount_id = UINT_RANGE("number", uint64_t, 1, INT64_MAX);
static const struct type t_version = UINT_RANGE("number", uint32_t, RECORD_VERSION, RECORD_VERSION);
static const struct field mount_fields[] = {
	FIELD(struct hotplug_mount, "destination", destination, t_abs_path, REQUIRED, NULL),
	FIELD(struct hotplug_mount, "id",          id,          t_mount_id, REQUIRED, NULL),
	{0}
};
static const struct type t_mount = OBJECT_STRICT("mount", struct hotplug_mount, mount_fields);
static const struct type t_mounts = ARRAY_OF(t_mount);
static const struct field record_fields[] = {
	FIELD(struct hotplug_record, "version", version, t_version, REQUIRED, NULL),
	FIELD(struct hotplug_record, "mounts",  mounts,  t_mounts,  0,        NULL),
	{0}
};
static const struct type t_record = OBJECT_STRICT("record of added mounts", struct hotplug_record, record_fields);
/* clang-format on */

err *hotplug_load(struct container *c, struct hotplug_record *ret)
{
	struct decoder d = { .arena = c->arena, .name = RECORD_NAME };
	err *e = decode_file(&d, &t_record, NULL, c->dir_fd, RECORD_NAME, ret);

	if (e && e->code == ENOENT) {
		err_free(e);
		*ret = (struct hotplug_record){ .version = RECORD_VERSION };
		return NULL;
	}
	return e;
}

err *hotplug_save(struct container *c, const struct hotplug_record *record)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	struct hotplug_record left = { .version = RECORD_VERSION };

	TRY_ALLOC(c->arena, left.mounts.items,
		  arena_array(c->arena, record->mounts.count + 1, sizeof *left.mounts.items));
	for (size_t i = 0; i < record->mounts.count; i++)
		if (record->mounts.items[i].id)
			left.mounts.items[left.mounts.count++] = record->mounts.items[i];
	encode_text(&text, &t_record, &left, 0);
	TRY(str_check(&text));
	return file_replace_volatile(c->dir_fd, RECORD_NAME, text.data, text.len, 0600);
}

static bool is_in(const uint64_t *ids, size_t count, uint64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

const struct hotplug_mount *hotplug_find(const struct hotplug_record *record, const char *destination,
					 const uint64_t *taken, size_t taken_count)
{
	for (size_t i = record->mounts.count; i-- > 0;) {
		const struct hotplug_mount *m = &record->mounts.items[i];

		if (m->id && str_equal(m->destination, destination) && !is_in(taken, taken_count, m->id))
			return m;
	}
	return NULL;
}
