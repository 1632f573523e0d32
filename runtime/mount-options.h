/* runtime/mount-options.h: the option words of mounts in config.json as one table.
 * Spec: runtime-spec config.md, "Linux mount options". Kernel: mount_setattr(2), fsconfig(2). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/strv.h"

enum mount_option_kind {
	MOUNT_OPT_ATTR,        /* set and clear MOUNT_ATTR_* of this mount */
	MOUNT_OPT_ATTR_ALL,    /* of it and everything below */
	MOUNT_OPT_SUPER,       /* a flag of the file system: fsconfig(FSCONFIG_SET_FLAG, super) */
	MOUNT_OPT_PROPAGATION, /* set: MS_* */
	MOUNT_OPT_BIND,
	MOUNT_OPT_RBIND,
	MOUNT_OPT_REMOUNT,
	MOUNT_OPT_COPY_UP,
	MOUNT_OPT_IDMAP,
	MOUNT_OPT_RIDMAP,
	MOUNT_OPT_COPY_LINK,   /* crun's copy-symlink, src-nofollow, dest-nofollow */
	MOUNT_OPT_SOURCE_LINK,
	MOUNT_OPT_PLACE_LINK,
	MOUNT_OPT_NOTHING,     /* accepted, the default */
};

struct mount_option {
	const char *name; /* the table ends with NULL */
	enum mount_option_kind kind;
	uint64_t set, clear;
	const char *super;
};
/* Sorted by name; `features` prints the names. */
extern const struct mount_option mount_options[];

/* What a list of options says. Words that the table does not know are data of the file system. */
enum { MOUNT_DATA_MAX = 256 };

struct mount_spec {
	bool bind, recursive, remount, copy_up, idmap, ridmap, copy_link, source_link, place_link;
	const char *maps;      /* of crun's idmap=uids=0-1-10;gids=0-1-10: what follows the first '='; or NULL */
	uint64_t set, clear, set_all, clear_all;
	uint32_t propagation;  /* MS_* with MS_REC; 0: not given */
	/* For the file system: "key=value", "flag"; borrowed from the words that were read. */
	struct mount_data {
		const char *items[MOUNT_DATA_MAX];
		size_t count;
		bool full;
	} data;
};

/* One word more; mount_spec_check() reports when there were too many. */
void mount_spec_add(struct mount_spec *spec, const char *word);
err *mount_spec_check(const struct mount_spec *spec) MUST_CHECK;

/* Options as words of their own: "size=1m,mode=755" is two, as for mount(2), to which runc and crun hand it
 * whole. */
err *mount_words(struct arena *arena, const struct strings *options, struct strings *ret) MUST_CHECK;

/* Read `count` words in order; a later word wins over an earlier one that it contradicts. */
err *mount_spec_parse(const char *const *words, size_t count, struct mount_spec *ret) MUST_CHECK;
