package cli

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/leat-dev/leat/fault"
)

// Every member that is printed, and every kind of error, is on the page.
func TestJSONIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	for _, v := range []any{entryJSON{}, usageJSON{}, eventJSON{}, errorJSON{}, lineJSON{}, summaryJSON{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, `"`+name+`"`) && !strings.HasSuffix(name, "_b64") {
				t.Errorf("%v: %q is not documented", typ, name)
			}
		}
	}
	for k := fault.Unknown; k <= fault.Internal; k++ {
		if !strings.Contains(text, "`"+k.String()+"`") {
			t.Errorf("the kind %q is not documented", k)
		}
	}
}
