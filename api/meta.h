/* api/meta.h: what every object of the API begins with.
 * Ref: Kubernetes API conventions, "Metadata"; meta/v1 ObjectMeta, OwnerReference, ListMeta. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/decode.h"
#include "base/err.h"

struct api_time { int64_t nsec; }; /* since the epoch; 0: absent. Written as RFC 3339 in UTC, whole seconds */
struct api_micro_time { int64_t nsec; }; /* the same with six digits of a second */

struct owner_reference {
	const char *api_version, *kind, *name, *uid;
	bool controller, block_owner_deletion;
};

struct meta {
	const char *name;          /* NULL only beside generate_name, in a create */
	const char *generate_name; /* the server adds five characters */
	const char *namespace;     /* NULL: none, or not yet defaulted */
	const char *uid;
	const char *resource_version; /* a revision of the store, opaque to clients */
	int64_t generation;        /* +1 with each change of spec */
	struct api_time creation;
	struct api_time deletion;  /* set: it is on its way out, see deletion_grace */
	const int64_t *deletion_grace; /* seconds */
	struct string_map labels, annotations;
	LIST(struct owner_reference) owners;
};

extern const struct type t_meta;      /* strict, as all of the API */
extern const struct type t_api_time, t_api_micro_time;

/* Every object struct begins with these members, in this order, so that it can be used as one. */
struct object {
	const char *api_version, *kind;
	struct meta metadata;
};

/* Names as RFC 1123 writes labels (63 bytes) and subdomains (253); keys and values of labels. */
bool meta_is_label(const char *text);
bool meta_is_subdomain(const char *text);
bool meta_is_label_key(const char *text);
bool meta_is_label_value(const char *text);

/* The owner that manages it (controller: true), or NULL. */
const struct owner_reference *meta_controller(const struct meta *meta);

/* ---- our own labels and annotations, all under one prefix ---- */
#define STUBE_PREFIX "stube/"
/* On Pods (a Deployment's template): how much protection the service's data needs. "normal" when absent.
 * On Nodes: up to which need the node is admitted. "normal" when absent. BSI-Standard 200-2. */
#define STUBE_PROTECTION_NEED  STUBE_PREFIX "protection-need"  /* label: normal|high|very-high */
#define STUBE_PROTECTION_CLASS STUBE_PREFIX "protection-class" /* label: normal|high|very-high */
/* On Pods: what becomes of them when their node is lost (design, decision 14). Absent: replace, but keep
 * where the Pod mounts a claim, whose data is on that node only. */
#define STUBE_ON_NODE_LOSS     STUBE_PREFIX "on-node-loss"     /* annotation: replace|keep|stop */
