/* examples/filenumber.h: file numbers (Aktenzeichen) such as KG-2026-7K4MQ-9TX3H-P.
 *
 * Two letters for the kind of application, the year, ten random characters (49 bits: nobody finds a
 * file by counting) and a check character. The alphabet has 31 characters, a prime, and leaves out
 * those that people take for others: a wrong character, and two that changed places anywhere, are
 * always noticed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define FILENUMBER_SIZE 24 /* with the NUL */

/* prefix  two characters of the alphabet
 * year    four digits
 * random  ten bytes from a good source; each below 248 counts without bias (see filenumber_new) */
void filenumber_format(const char *prefix, unsigned year, const uint8_t random[static 10],
		       char out[static FILENUMBER_SIZE]);

/* A new one; the random characters come from getrandom(2), without bias. */
err *filenumber_new(const char *prefix, unsigned year, char out[static FILENUMBER_SIZE]) MUST_CHECK;

/* What a person typed, in the normal form: any case, with or without dashes and spaces, and with O, I, L,
 * B, U read as 0, 1, 1, 8, V. False when it cannot be a file number or the check character is wrong. */
bool filenumber_parse(const char *typed, char out[static FILENUMBER_SIZE]) MUST_CHECK;
