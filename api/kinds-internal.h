/* api/kinds-internal.h: what the tables of the kinds share. */
#pragma once
#include "api/deployment.h"
#include "api/kinds.h"
#include "api/meta.h"
#include "api/pod.h"

/* Every object begins so; which kind it is was checked before, see object_decode(). */
/* clang-format off */
#define OBJECT_FIELDS(S) \
	FIELD(S, "apiVersion", api_version, t_string, 0, NULL), \
	FIELD(S, "kind",       kind,        t_string, 0, NULL), \
	FIELD(S, "metadata",   metadata,    t_meta,   REQUIRED, NULL)
/* An object of JSON whose one member is all that is kept: its C form, of type T, is that member's. */
#define INNER(T, key, type, flags)  { key, 0, sizeof(T), &(type), flags, NULL }
#define INNER_OBJECT(name_, T, fields_) { .kind = T_OBJECT, .name = name_, .size = sizeof(T), .fields = fields_, .flags = STRICT }
/* clang-format on */

#define META_LABEL_REASON     "is not a name of at most 63 lower-case letters, digits and '-'"
#define META_SUBDOMAIN_REASON "is not a name of at most 253 lower-case letters, digits, '-' and '.'"
#define META_KEY_REASON       "is not a key of at most 63 letters, digits, '-', '_' and '.', which may follow a domain and '/'"
#define META_VALUE_REASON     "is not a value of at most 63 letters, digits, '-', '_' and '.'"

extern const struct type t_label, t_subdomain, t_label_key, t_label_value, t_label_values;
extern const struct type t_template_meta;
extern const struct type t_selector_requirements;
extern const struct type t_namespace_phase, t_pod_phase, t_pod_restart; /* for field selectors */

extern const struct type t_namespace_spec, t_namespace_status, t_node_spec, t_node_status, t_claim_spec,
	t_claim_status, t_lease_spec, t_deployment_spec, t_deployment_status, t_replicaset_spec, t_replicaset_status;
extern const struct rule namespace_rules[], node_rules[], pod_rules[], claim_rules[], event_rules[],
	deployment_rules[], replicaset_rules[], lease_rules[];

/* The first rule of every kind. */
err *object_check_metadata(const void *document, struct decoder *d) MUST_CHECK;

/* decoder_fail() at PATH.MEMBER (either may be ""): "'VALUE' REASON", or the reason alone. */
err *rule_fail(struct decoder *d, const char *path, const char *member, const char *value, const char *reason)
	MUST_CHECK;

err *meta_check_labels(struct decoder *d, const char *path, const struct string_map *labels) MUST_CHECK;
err *meta_check_annotations(struct decoder *d, const char *path, const struct string_map *annotations) MUST_CHECK;
/* STUBE_... labels and annotations of metadata at `path`. */
err *meta_check_own(struct decoder *d, const char *path, const struct meta *m) MUST_CHECK;
/* They take effect in a template; on its owner they must not say something else. */
err *meta_check_template(struct decoder *d, const struct meta *outer, const struct meta *template) MUST_CHECK;

err *label_selector_check(struct decoder *d, const char *path, const struct label_selector *s) MUST_CHECK;

/* The rules within a Pod's or template's metadata and spec, each at its path: "spec.template.metadata". */
err *pod_meta_check(struct decoder *d, const char *path, const struct meta *m) MUST_CHECK;
err *kind_admit(struct decoder *d, const struct kind *kind,
		const struct object *object) MUST_CHECK; /* api/pod-admit.c */
err *pod_spec_check(struct decoder *d, const char *path, const struct pod_spec *spec) MUST_CHECK;

/* The template of a Deployment or ReplicaSet, at spec.template, with the selector beside it. */
err *template_check(struct decoder *d, const struct meta *owner, const struct label_selector *selector,
		    const struct pod_template *template) MUST_CHECK;

/* Whether selectors may name a field: "spec.nodeName" of a Pod. */
bool kind_has_field(const struct kind *kind, const char *path);

/* A value as text that is the same for the same content: the order of a map's keys does not count. */
err *canonical_text(const struct type *type, const void *value, struct str *out) MUST_CHECK;
