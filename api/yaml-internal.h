/* api/yaml-internal.h: what the files of YAML share: which type a plain scalar has; errors of libyaml. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

/* What text without quotes means:
 *
 *	boolean  true yes on y, false no off n; each in lower case, capitalised, or in capitals
 *	null     null Null NULL ~, and nothing at all
 *	number   12 -12 +12 1_000, 0x1f, 0o17 and 017 (octal), 0b101; 1.5 .5 1. 1e3
 *	string   everything else; dates and 1:30 are strings
 *
 * Numbers are kept as they are written where JSON writes them so (1.10, also where no variable could hold it); other
 * forms become decimal: 0x1f is 31, 017 is 15, 08 is 8, +.5 is 0.5. */
enum yaml_scalar { YAML_STRING, YAML_NULL, YAML_BOOL, YAML_NUMBER, YAML_NOT_A_NUMBER /* .inf, .nan */, YAML_TOO_LONG };

#define YAML_NUMBER_MAX 64 /* bytes; as base/json.c */

/* boolean: set for YAML_BOOL; number: for YAML_NUMBER. */
enum yaml_scalar yaml_scalar_type(const char *text, bool *boolean, char number[static YAML_NUMBER_MAX + 2]);

/* Why a parser has stopped: "web.yaml:7:5: did not find expected ..."; text is what it read. */
struct yaml_parser_s;
err *yaml_syntax_error(const char *name, const char *text, size_t len, const struct yaml_parser_s *parser) MUST_CHECK;
