/* oci/landlock.h: the document in the annotation org.stube.landlock: what a container's processes may reach
 * at all, enforced by the kernel's Landlock. The specification has nothing like it yet; names follow the
 * proposal of its pull request 1241. docs/landlock.md is for users. Kernel: landlock(7). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/decode.h"
#include "base/err.h"
#include "base/strv.h"
#include "oci/config.h"

#define OCI_LANDLOCK_ANNOTATION "org.stube.landlock"

/* The kernel's names in lower case without their prefix ("write_file"), and its bits; ended by a NULL name.
 */
extern const struct enum_name oci_landlock_fs_names[], oci_landlock_net_names[], oci_landlock_scope_names[];

/* First ABI with the right `bit` of a table of names; 1 where it was always there. */
int oci_landlock_abi(const struct enum_name *names, int bit);

struct oci_landlock_paths {
	struct oci_ints access;
	struct strings paths; /* absolute, in the container */
};
struct oci_landlock_ports {
	struct oci_ints access;
	struct {
		uint16_t *items;
		size_t count;
	} ports;
};
struct oci_landlock_ruleset {
	struct oci_ints fs, net, scoped; /* what is handled: refused unless a rule allows it */
};
struct oci_landlock_rules {
	struct {
		struct oci_landlock_paths *items;
		size_t count;
	} paths;
	struct {
		struct oci_landlock_ports *items;
		size_t count;
	} ports;
};
struct oci_landlock {
	struct oci_landlock_ruleset ruleset;
	struct oci_landlock_rules rules;
	bool best_effort; /* what this kernel lacks is left out with a warning; else it is an error */
};
extern const struct type t_oci_landlock;

/* The bits of a list, together. */
uint64_t oci_landlock_mask(const struct oci_ints *list);

/* Decode the document. Strict: an unknown key or right is an error, as a restriction that is passed over in
 * silence would be none. Errors begin with `name` and the path inside. */
err *oci_landlock_decode(struct arena *arena, const char *name, const char *text, size_t len,
			 const struct oci_landlock **ret) MUST_CHECK;
