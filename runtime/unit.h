/* runtime/unit.h: a container's scope under systemd, made, changed and ended by the program stube-systemd.
 *
 * The runtime knows no D-Bus: each call starts the helper, sends one request over a socketpair and takes one
 * reply (unit-message.h). To make a scope, systemd wants a process to put into it: the helper itself, which
 * stays there until unit_keeper_end(), so that the scope lives until the container's init was cloned into
 * it, and no longer. Why so: docs/decisions/0165-systemd-helper.md.
 * Ref: org.freedesktop.systemd1(5), systemd.scope(5), "The New Control Group Interfaces". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/macro.h"
#include "runtime/cgroup.h"

struct string_map;

#define UNIT_NAME_MAX	    255
#define UNIT_INVOCATION_LEN 32 /* hexadecimal digits */

/* Whose manager, and which unit of it: what the record of a container keeps. */
struct unit_id {
	const char *name;	/* "libpod-1.scope"; NULL: no unit */
	bool user;		/* of the caller's own manager, not the system's */
	const char *invocation; /* systemd's id of this run of the unit; NULL: not known (yet) */
};

/* The D-Bus types that occur, by their signature where it is one character. */
enum unit_type {
	UNIT_BOOL = 'b',
	UNIT_INT32 = 'i',
	UNIT_UINT32 = 'u',
	UNIT_INT64 = 'x',
	UNIT_UINT64 = 't',
	UNIT_DOUBLE = 'd', /* its bits in `number` */
	UNIT_STRING = 's',
	UNIT_STRINGS = 'A', /* as */
	UNIT_BYTES = 'Y',   /* ay */
	UNIT_PAIRS = 'P',   /* a(st): devices with a number each */
};
struct unit_item {
	const char *text;
	uint64_t number; /* of a pair */
};
struct unit_property {
	const char *name;
	enum unit_type type;
	uint64_t number; /* signed ones as their two's complement; UINT64_MAX is systemd's infinity */
	const char *text;
	const uint8_t *bytes;
	const struct unit_item *items;
	size_t count; /* of bytes or items */
};
struct unit_properties {
	struct unit_property *items;
	size_t count, cap;
};

/* Add, or replace one of the same name. In the arena. */
err *unit_set_property(struct arena *arena, struct unit_properties *list,
		       const struct unit_property *p) MUST_CHECK;

/* ---- names (unit-name.c) ---- */

/* linux.cgroupsPath as callers of the systemd manager write it: "slice:prefix:name", "name", or nothing.
 * An empty slice is system.slice, of a user's manager user.slice; "name" may end in ".scope" already. What a
 * name of a unit cannot have is escaped as systemd-escape(1) does. *ret_slice, *ret_name in the arena.
 * Errors: EINVAL a path with slashes, a slice that is none, a name ending in ".slice". */
err *unit_parse_path(struct arena *arena, const char *cgroups_path, const char *id, bool user,
		     const char **ret_slice, const char **ret_name) MUST_CHECK;

/* ---- what the limits are as properties (unit-properties.c) ---- */

/* Rows of cgroup_limits() that systemd has a property for, `unified` included, so that `systemctl show` tells
 * the truth and a reload loses nothing. fresh: rows that equal the kernel's default are left out. */
err *unit_add_limits(struct arena *arena, const struct cgroup_limits *limits, bool fresh,
		     struct unit_properties *list) MUST_CHECK;

/* ---- annotations (unit-annotations.c) ---- */
#define ANNOTATION_SYSTEMD_PROPERTY "org.systemd.property."

/* "org.systemd.property.NAME" with a value in GVariant's text form: true, 'text', 5, uint64 5, 1.5, ['a',
 * 'b']. A name ending in "Sec" with a number becomes the one ending in "USec", in microseconds. Errors:
 * EINVAL, named by annotation; what the runtime decides itself (PIDs, Slice, Delegate) is EINVAL. */
err *unit_add_annotations(struct arena *arena, const struct string_map *annotations,
			  struct unit_properties *list) MUST_CHECK;

/* One value alone, for the fuzzer: `name` may be changed as above. */
err *unit_parse_value(struct arena *arena, const char *name, const char *text,
		      struct unit_property *ret) MUST_CHECK;

/* ---- the helper (unit.c) ---- */

/* The process that holds a new scope. */
struct unit_keeper {
	pid_t pid; /* 0: none */
	int sock;
};
#define UNIT_KEEPER_INIT   \
	{                  \
		.sock = -1 \
	}

/* Make the scope id->name with these properties and wait until systemd's job is done. Then ret->pid is in it;
 * *ret_invocation in the arena. Interrupted by interrupt.h's signals: EINTR.
 *   lock_fd  a descriptor that is locked (flock(2)): the lock lasts as long as the helper, too, so that
 * nobody takes a killed create for cleaned while its helper is still at work; borrowed Errors: EEXIST there
 * is such a unit, ENOTCONN no bus, ECANCELED the job's result, ETIMEDOUT, EPIPE the helper died, ENOENT the
 * helper is not installed. */
err *unit_start(struct arena *arena, const struct unit_id *id, const struct unit_properties *properties,
		int lock_fd, struct unit_keeper *ret, const char **ret_invocation) MUST_CHECK;

/* End the keeper, whatever it does, and wait until it is gone; a scope without anybody else ends with it. */
void unit_keeper_end(struct unit_keeper *k);

/* Change properties until the unit ends. */
err *unit_update(struct arena *arena, const struct unit_id *id,
		 const struct unit_properties *properties) MUST_CHECK;

/* Stop the unit, wait for the job, and let systemd forget it, failed or not. One that is gone, or another run
 * of a unit of that name, is no error and left alone; where no invocation is known, one with processes is. */
err *unit_stop(struct arena *arena, const struct unit_id *id) MUST_CHECK;

/* Put a process into the unit, below it where `path` ("/web") is not empty: where the caller has no right to,
 * the manager has. */
err *unit_attach(struct arena *arena, const struct unit_id *id, const char *path, pid_t pid) MUST_CHECK;
