/* api/quantity.h: amounts as Kubernetes writes them: "500m", "1.5", "128Mi", "2G", "1e3".
 * Ref: Kubernetes API conventions, resource.Quantity. Kept in thousandths, so that "100m" is exact;
 * what is finer is rounded up, as Kubernetes does. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/decode.h"
#include "base/macro.h"
#include "base/str.h"

struct quantity {
	int64_t milli; /* thousandths of a processor, a byte, ... */
	bool given;
};

/* False for what is no quantity, is negative, or does not fit. */
bool quantity_parse(const char *text, struct quantity *ret) MUST_CHECK;

/* The shortest form that means the same: "500m", "2", "128Mi". */
void quantity_format(const struct quantity *q, struct str *out);

/* Whole units, rounded up. */
int64_t quantity_units(const struct quantity *q);

extern const struct type t_quantity;
