package s3fs

import (
	"encoding/xml"
	"reflect"
	"testing"
)

var scanSeeds = []string{
	`<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix><IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;&#x41;</NextContinuationToken>
 <EncodingType>url</EncodingType><Contents><Key>a%20b&lt;&quot;</Key><LastModified>2026-11-20T10:00:00.123Z</LastModified><ETag>&quot;e&#34;</ETag><Size>12</Size><Owner><ID>x</ID></Owner></Contents>
 <Contents><Key>é</Key><Size>0</Size></Contents><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>&#xA;&#13;</Key></Contents><CommonPrefixes></CommonPrefixes></ListBucketResult>`,
	`<ListBucketResult></ListBucketResult>`,
	`<ListBucketResult><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys></ListBucketResult>`,
}

func TestScanPageReadsWhatServicesWrite(t *testing.T) {
	for _, body := range scanSeeds {
		got, ok := scanPage([]byte(body))
		var want page
		if err := xml.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if !ok || !same(got, &want) {
			t.Errorf("scanPage(%q) = %+v, %v, want %+v", body, got, ok, want)
		}
	}
	for _, body := range []string{
		``, `<`, `<Error></Error>`, `<ListBucketResult/>`, `<ListBucketResult><Contents></ListBucketResult>`,
		`<ListBucketResult><Contents><Key><b>x</b></Key></Contents></ListBucketResult>`,
		`<ListBucketResult><!-- c --></ListBucketResult>`, `<ListBucketResult><Contents a="b"></Contents></ListBucketResult>`,
		`<ListBucketResult><Contents><Key>&nbsp;</Key></Contents></ListBucketResult>`,
		`<ListBucketResult><Contents><Key><![CDATA[x]]></Key></Contents></ListBucketResult>`,
		`<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>`,
		`<ListBucketResult></ListBucketResult><x>`, "<ListBucketResult><Contents><Key>\xff</Key></Contents></ListBucketResult>",
	} {
		if p, ok := scanPage([]byte(body)); ok {
			t.Errorf("scanPage(%q) = %+v, want that it leaves that to encoding/xml", body, p)
		}
	}
}

// What the scanner reads, encoding/xml reads alike.
func FuzzScanPage(f *testing.F) {
	for _, s := range scanSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := scanPage(body)
		if !ok {
			return
		}
		var want page
		if err := xml.Unmarshal(body, &want); err != nil {
			t.Fatalf("scanPage reads %q, encoding/xml: %v", body, err)
		}
		if !same(got, &want) {
			t.Errorf("scanPage(%q) = %+v, want %+v", body, got, want)
		}
	})
}

func same(a, b *page) bool {
	if len(a.Contents) == 0 {
		a.Contents = nil
	}
	if len(b.Contents) == 0 {
		b.Contents = nil
	}
	return reflect.DeepEqual(a, b)
}
