/* api/kinds.h: the kinds of objects as one table: names, paths, types, rules, copies. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "api/meta.h"
#include "base/arena.h"
#include "base/decode.h"
#include "base/err.h"
#include "base/str.h"

enum kind_id {
	KIND_NAMESPACE, KIND_NODE, KIND_POD, KIND_CLAIM, KIND_EVENT, KIND_DEPLOYMENT, KIND_REPLICASET, KIND_LEASE,
	KIND_COUNT,
};

struct kind {
	enum kind_id id;
	const char *group;       /* "" is the core group */
	const char *version;     /* "v1" */
	const char *api_version; /* "apps/v1" */
	const char *name;        /* "Deployment" */
	const char *list_name;   /* "DeploymentList" */
	const char *plural;      /* "deployments" */
	const char *singular;    /* "deployment" */
	const char *short_names; /* "deploy", divided by commas; "" none */
	bool namespaced;
	bool status;             /* has a status, which only /status writes */
	bool scale;              /* has /scale */
	bool label_name;         /* its name is a label (63 bytes), not a subdomain (253) */
	const struct type *type; /* of the whole object */
	const struct rule *rules;
	size_t spec_offset, status_offset; /* of those members; 0: it has none */
	const struct type *spec_type, *status_type;
};

/* By enum kind_id. */
extern const struct kind kinds[KIND_COUNT];

/* NULL: there is none. */
const struct kind *kind_find(const char *api_version, const char *name);
const struct kind *kind_by_path(const char *group, const char *version, const char *plural);
/* As people type it: "po", "pod", "Pods", "deployments.apps". */
const struct kind *kind_by_word(const char *word);
const struct kind *kind_of(const struct object *object);

/* Decode and check one object of any kind, or of the expected one (NULL: any). `name` is what errors call
 * the document. lenient: unknown keys and fields that we do not implement are passed over, the rules between fields
 * are not asked, an unknown word of an enumeration reads as 0 (absent), and an item of a typed list need not say what
 * it is: for answers of a server that may be newer, never for what is to be run.
 * EINVAL: "web.yaml:7:5: spec.template.spec.containers[0].lifecycle: is not supported". */
enum object_flags {
	OBJECT_LENIENT = 1 << 0,
	OBJECT_ADMIT = 1 << 1, /* and by the rules for what is new, that what is stored need not keep
				  (api/pod-admit.c) */
};
err *object_decode(struct arena *arena, const char *name, const char *text, size_t len,
		   const struct kind *expected, unsigned flags, struct object **ret) MUST_CHECK;
err *object_decode_tree(struct arena *arena, const char *name, const json *tree,
			const struct kind *expected, unsigned flags, struct object **ret) MUST_CHECK;

/* In the order of the tables: same input, same bytes. indent 0: one line without an end. */
void object_encode(struct str *out, const struct object *object, unsigned indent);

/* A deep copy, for changing a decoded one; complete or not. */
err *object_copy(struct arena *arena, const struct object *object, struct object **ret) MUST_CHECK;

/* Check one that was built in memory, by the same tables and rules. */
err *object_check(const struct object *object) MUST_CHECK;
err *object_admit(const struct object *object) MUST_CHECK; /* with OBJECT_ADMIT */

/* Fill one with kind, apiVersion and the defaults that decoding "{}" would give. */
err *object_new(struct arena *arena, const struct kind *kind, struct object **ret) MUST_CHECK;

/* The text of a field that selectors may name, such as "spec.nodeName"; NULL: the kind has no such field.
 * "" is an empty value. Every kind has metadata.name and metadata.namespace. */
const char *object_field(const struct object *object, const char *path);

/* Whether the specs are the same as encoded; the order of a map's keys does not count. */
bool object_same_spec(const struct object *a, const struct object *b);

/* 16 hexadecimal digits that name a spec or a template: same content, same text. */
void object_hash(const struct type *type, const void *value, char out[static 17]);
