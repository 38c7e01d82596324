// Package sitter stands in for the parsers of programming languages that Vale links. They are written in C and need a C
// compiler. This project checks Markdown only, which Vale reads without them.
package sitter

import (
	"context"
	"errors"
)

type (
	Language     struct{}
	Parser       struct{}
	Tree         struct{}
	Node         struct{}
	Query        struct{}
	QueryCursor  struct{}
	Point        struct{ Row, Column uint32 }
	QueryCapture struct {
		Index uint32
		Node  *Node
	}
	QueryMatch struct{ Captures []QueryCapture }
)

var errNoParsers = errors.New("this Vale is built without the parsers of programming languages")

func NewParser() *Parser                                                      { return &Parser{} }
func (*Parser) SetLanguage(*Language)                                         {}
func (*Parser) ParseCtx(context.Context, *Tree, []byte) (*Tree, error)        { return nil, errNoParsers }
func (*Tree) RootNode() *Node                                                 { return nil }
func (*Node) Content([]byte) string                                           { return "" }
func (*Node) StartPoint() Point                                               { return Point{} }
func NewQuery([]byte, *Language) (*Query, error)                              { return nil, errNoParsers }
func (*Query) CaptureNameForId(uint32) string                                 { return "" }
func NewQueryCursor() *QueryCursor                                            { return &QueryCursor{} }
func (*QueryCursor) Exec(*Query, *Node)                                       {}
func (*QueryCursor) NextMatch() (*QueryMatch, bool)                           { return nil, false }
func (*QueryCursor) FilterPredicates(match *QueryMatch, _ []byte) *QueryMatch { return match }
