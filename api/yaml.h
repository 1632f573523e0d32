/* api/yaml.h: YAML documents as JSON trees with lines and columns, and the other way. Library: libyaml.
 *
 * As Kubernetes reads YAML: plain scalars are typed by YAML 1.1's rules as sigs.k8s.io/yaml has them (true, yes,
 * on; null, ~; 0x and decimal numbers); keys are strings, never twice; anchors and aliases are expanded within a
 * ceiling; tags other than the core ones are refused. JSON is YAML. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define YAML_SIZE_MAX      (4u << 20)  /* bytes of text */
#define YAML_DOCUMENTS_MAX 4096
#define YAML_NODES_MAX     (1u << 18)  /* after aliases are expanded */

/* All documents of a stream, empty ones left out. EINVAL: "web.yaml:7:5: ..."; EFBIG. */
err *yaml_parse(struct arena *arena, const char *name, const char *text, size_t len, json ***ret, size_t *ret_count)
	MUST_CHECK;

/* Block style, two spaces, quoted only where it must be: reading it again gives the same tree. */
void yaml_write(struct str *out, const json *tree);
