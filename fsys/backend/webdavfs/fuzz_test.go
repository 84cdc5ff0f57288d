package webdavfs_test

import (
	"strings"
	"testing"

	"github.com/leat-dev/leat/fsys/backend/webdavfs"
	"github.com/leat-dev/leat/fsys/driver"
)

func FuzzParse(f *testing.F) {
	f.Add(`<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>/a%20b/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`)
	f.Add(`<multistatus xmlns="DAV:"><response><href>/x</href><propstat><prop><getcontentlength>5</getcontentlength><getetag>"1"</getetag></prop></propstat></response></multistatus>`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := webdavfs.Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, e := range all {
			if e.Kind != driver.File && e.Kind != driver.Dir || e.Size < -1 || strings.HasSuffix(e.Path, "/") && !strings.Contains(e.Path, "//") && e.Path != "/" {
				t.Errorf("%+v", e)
			}
		}
		// Every proper part of a good answer is an error.
		cut := strings.LastIndex(text, "</")
		if cut > 0 && len(all) > 0 {
			if _, err := webdavfs.Parse(strings.NewReader(text[:cut])); err == nil {
				t.Errorf("the answer was cut off at %d and read as whole", cut)
			}
		}
	})
}
