/* examples/kinds.c: the table of what can be applied for. */
#include "examples/kinds.h"

#include "examples/token.h"

const struct enum_name field_kind_names[] = { { "text", FIELD_TEXT },		{ "date", FIELD_DATE },
					      { "iban", FIELD_IBAN },		{ "tax-id", FIELD_TAX },
					      { "insurance", FIELD_INSURANCE }, { "email", FIELD_EMAIL },
					      { "choice", FIELD_CHOICE },	{ 0 } };

/* clang-format off */
static const struct choice yes_no[] = {
	{ "ja",   { "Ja", "Yes" } },
	{ "nein", { "Nein", "No" } },
	{ 0 }
};
static const struct choice care_levels[] = {
	{ "2", { "Pflegegrad 2", "Care level 2" } },
	{ "3", { "Pflegegrad 3", "Care level 3" } },
	{ "4", { "Pflegegrad 4", "Care level 4" } },
	{ "5", { "Pflegegrad 5", "Care level 5" } },
	{ 0 }
};
static const struct choice activities[] = {
	{ "kueche",    { "Küche", "Kitchen" } },
	{ "bedienung", { "Bedienung", "Serving" } },
	{ "verkauf",   { "Verkauf von Lebensmitteln", "Selling food" } },
	{ "kita",      { "Kindertagesstätte oder Schule", "Day care or school" } },
	{ 0 }
};
static const struct choice languages[] = {
	{ "de", { "Deutsch", "German" } },
	{ "en", { "Englisch", "English" } },
	{ "tr", { "Türkisch", "Turkish" } },
	{ "uk", { "Ukrainisch", "Ukrainian" } },
	{ 0 }
};

#define YEARS(n) ((n) * 1461 / 4)

static const struct kind_field kindergeld[] = {
	{ .name = "child_name", .kind = FIELD_TEXT, .max = 120,
	  .label = { "Vor- und Nachname des Kindes", "Child's first and last name" } },
	{ .name = "child_birth", .kind = FIELD_DATE, .day_min = -YEARS(25), .day_max = 0,
	  .label = { "Geburtsdatum des Kindes", "Child's date of birth" } },
	{ .name = "child_tax_id", .kind = FIELD_TAX,
	  .label = { "Steuer-Identifikationsnummer des Kindes", "Child's tax identification number" },
	  .hint = { "11 Ziffern, im Schreiben des Bundeszentralamts für Steuern", "11 digits, in the letter of the Federal Central Tax Office" } },
	{ .name = "household", .kind = FIELD_CHOICE, .choices = yes_no,
	  .label = { "Lebt das Kind in Ihrem Haushalt?", "Does the child live in your household?" } },
	{ .name = "iban", .kind = FIELD_IBAN,
	  .label = { "IBAN für die Auszahlung", "IBAN for the payment" },
	  .hint = { "Zum Beispiel DE02 1203 0000 0000 2020 51", "For example DE02 1203 0000 0000 2020 51" } },
	{ 0 }
};
static const struct kind_field pflegegeld[] = {
	{ .name = "person_name", .kind = FIELD_TEXT, .max = 120,
	  .label = { "Name der pflegebedürftigen Person", "Name of the person in need of care" } },
	{ .name = "person_birth", .kind = FIELD_DATE, .day_min = -YEARS(125), .day_max = 0,
	  .label = { "Geburtsdatum der Person", "The person's date of birth" } },
	{ .name = "insurance_number", .kind = FIELD_INSURANCE,
	  .label = { "Versichertennummer der Person", "The person's health insurance number" },
	  .hint = { "Ein Buchstabe und 9 Ziffern, auf der Gesundheitskarte", "One letter and 9 digits, on the health card" } },
	{ .name = "care_level", .kind = FIELD_CHOICE, .choices = care_levels,
	  .label = { "Anerkannter Pflegegrad", "Recognised care level" },
	  .hint = { "Pflegegeld gibt es ab Pflegegrad 2", "Care allowance is paid from care level 2" } },
	{ .name = "carer_name", .kind = FIELD_TEXT, .max = 120, .autocomplete = "name",
	  .label = { "Name der Person, die pflegt", "Name of the person who cares" } },
	{ .name = "iban", .kind = FIELD_IBAN,
	  .label = { "IBAN für die Auszahlung", "IBAN for the payment" },
	  .hint = { "Zum Beispiel DE02 1203 0000 0000 2020 51", "For example DE02 1203 0000 0000 2020 51" } },
	{ 0 }
};
static const struct kind_field gesundheitszeugnis[] = {
	{ .name = "name", .kind = FIELD_TEXT, .max = 120, .autocomplete = "name",
	  .label = { "Ihr Vor- und Nachname", "Your first and last name" } },
	{ .name = "birth", .kind = FIELD_DATE, .day_min = -YEARS(125), .day_max = -YEARS(13), .autocomplete = "bday",
	  .label = { "Ihr Geburtsdatum", "Your date of birth" } },
	{ .name = "activity", .kind = FIELD_CHOICE, .choices = activities,
	  .label = { "Wo werden Sie arbeiten?", "Where will you work?" } },
	{ .name = "language", .kind = FIELD_CHOICE, .choices = languages,
	  .label = { "Sprache der Belehrung", "Language of the instruction" } },
	{ .name = "wanted_day", .kind = FIELD_DATE, .day_min = 1, .day_max = 183,
	  .label = { "Wunschtermin", "Preferred day" },
	  .hint = { "Ab morgen, in den nächsten sechs Monaten", "From tomorrow, within the next six months" } },
	{ .name = "email", .kind = FIELD_EMAIL, .optional = true, .autocomplete = "email",
	  .label = { "E-Mail für die Terminbestätigung", "E-mail for the confirmation" } },
	{ 0 }
};

const struct kind kinds[] = {
	{ "kindergeld", "KG", LOA_SUBSTANTIAL, { "Kindergeld", "Child benefit" },
	  { "Monatliche Zahlung für jedes Kind, ab der Geburt.", "A monthly payment for each child, from birth on." }, kindergeld },
	{ "pflegegeld", "PG", LOA_SUBSTANTIAL, { "Pflegegeld", "Care allowance" },
	  { "Wenn Angehörige oder Freunde zu Hause pflegen.", "When family or friends give care at home." }, pflegegeld },
	{ "gesundheitszeugnis", "GZ", LOA_LOW, { "Gesundheitszeugnis", "Health certificate" },
	  { "Belehrung nach § 43 Infektionsschutzgesetz, für die Arbeit mit Lebensmitteln.",
	    "Instruction under section 43 of the Infection Protection Act, for work with food." }, gesundheitszeugnis },
	{ 0 }
};

static const struct {
	const char *name;
	struct words words;
} problems_table[] = {
	[PROBLEM_UNKNOWN]    = { "unknown",    { "gehört nicht zu diesem Antrag", "is not part of this application" } },
	[PROBLEM_MISSING]    = { "missing",    { "Bitte füllen Sie dieses Feld aus", "Please fill in this field" } },
	[PROBLEM_TOO_LONG]   = { "too_long",   { "Der Text ist zu lang", "The text is too long" } },
	[PROBLEM_CONTROL]    = { "control",    { "Bitte nur Text in einer Zeile", "Please write a single line of text" } },
	[PROBLEM_DATE]       = { "date",       { "Bitte ein Datum wählen, das es gibt", "Please choose a date that exists" } },
	[PROBLEM_DATE_RANGE] = { "date_range", { "Das Datum liegt außerhalb des erlaubten Zeitraums", "The date is outside the period that is allowed" } },
	[PROBLEM_IBAN]       = { "iban",       { "Bitte prüfen Sie die IBAN: Ihre Prüfziffer stimmt nicht", "Please check the IBAN: its check digits are wrong" } },
	[PROBLEM_TAX]        = { "tax_id",     { "Bitte prüfen Sie die Nummer: 11 Ziffern, die letzte ist eine Prüfziffer", "Please check the number: 11 digits, the last is a check digit" } },
	[PROBLEM_INSURANCE]  = { "insurance",  { "Bitte prüfen Sie die Nummer: ein Buchstabe und 9 Ziffern", "Please check the number: one letter and 9 digits" } },
	[PROBLEM_EMAIL]      = { "email",      { "Bitte eine E-Mail-Adresse wie name@beispiel.de", "Please give an address such as name@example.org" } },
	[PROBLEM_CHOICE]     = { "choice",     { "Bitte wählen Sie eine der Möglichkeiten", "Please choose one of the options" } },
};
/* clang-format on */

const struct kind *kind_find(const char *name)
{
	for (const struct kind *kind = kinds; kind->name; kind++)
		if (str_equal(kind->name, name))
			return kind;
	return NULL;
}

const char *problem_name(enum problem_code code)
{
	return problems_table[code].name;
}

const struct words *problem_words(enum problem_code code)
{
	return &problems_table[code].words;
}
