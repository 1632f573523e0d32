/* runtime/features.h: the features document of this runtime.
 * Spec: runtime-spec features.md, features-linux.md. */
#pragma once
#include "base/err.h"
#include "base/str.h"

/* Append the document and a line end. Everything is printed from the tables that also decode config.json
 * and read mount options, so it cannot promise what they do not know. Only supportedFlags depends on
 * the kernel it runs on, as the specification allows. */
err *features_write(struct str *out) MUST_CHECK;
