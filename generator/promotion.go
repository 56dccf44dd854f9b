package generator

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
)

// Overlay is what a DAG must have otherwise in the instance that it is promoted
// to. Zero fields change nothing.
type Overlay struct {
	// Namespace is where the pods run.
	Namespace string `yaml:"namespace"`
	// Images replaces the beginning of images: registry, perhaps with a path.
	Images map[string]string `yaml:"images"`
	// Resources replaces each container's, by "requests" and "limits".
	Resources map[string]map[string]string `yaml:"resources"`
	// Tags are added.
	Tags []string `yaml:"tags"`
}

// Promote makes the spec of another instance out of the one at a path: the same
// DAG, with the overlay's differences and everything else, comments included, as it
// is. The same arguments give the same bytes. The result can be loaded; the error
// is dag.ErrInvalid for a spec that cannot, or that has not exactly one DAG.
func Promote(file string, source []byte, o Overlay) ([]byte, error) {
	before, err := dag.Parse(file, source)
	if err != nil {
		return nil, err
	}
	if len(before) != 1 {
		return nil, fmt.Errorf("%s defines %d DAGs, want one: %w", file, len(before), dag.ErrInvalid)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(source, &doc); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", file, err, dag.ErrInvalid)
	}
	spec := valueOf(doc.Content[0], string(before[0].ID))
	if spec == nil {
		return nil, fmt.Errorf("%s does not define %s at its top: %w", file, before[0].ID, dag.ErrInvalid)
	}
	if err := o.apply(spec); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, fmt.Errorf("write %s: %w", file, err)
	}
	after, err := dag.Parse(file, out.Bytes())
	if err != nil || len(after) != 1 || after[0].ID != before[0].ID {
		return nil, fmt.Errorf("the overlay makes %s a spec that cannot be loaded: %w: %w", path.Base(file), err, dag.ErrInvalid)
	}
	return out.Bytes(), nil
}

func (o Overlay) apply(spec *yaml.Node) error {
	tasks := valueOf(spec, "tasks")
	if tasks == nil || tasks.Kind != yaml.SequenceNode {
		return fmt.Errorf("the spec has no list of tasks: %w", dag.ErrInvalid)
	}
	for _, task := range tasks.Content {
		if o.Namespace != "" {
			set(task, "namespace", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: o.Namespace})
		}
		if image := valueOf(task, "image"); image != nil {
			image.Value = o.image(image.Value)
		}
		if o.Resources != nil {
			var node yaml.Node
			if err := node.Encode(o.Resources); err != nil {
				return fmt.Errorf("write resources: %w", err)
			}
			set(task, "container_resources", &node)
		}
	}
	return o.addTags(spec)
}

// image replaces the longest beginning that ends where a part of the name does.
func (o Overlay) image(image string) string {
	longest := ""
	for from := range o.Images {
		rest, ok := strings.CutPrefix(image, from)
		if ok && len(from) > len(longest) && (rest == "" || strings.ContainsAny(rest[:1], "/:@")) {
			longest = from
		}
	}
	if longest == "" {
		return image
	}
	return o.Images[longest] + image[len(longest):]
}

func (o Overlay) addTags(spec *yaml.Node) error {
	if len(o.Tags) == 0 {
		return nil
	}
	var tags []string
	if present := valueOf(spec, "tags"); present != nil {
		if err := present.Decode(&tags); err != nil {
			return fmt.Errorf("tags: %w: %w", err, dag.ErrInvalid)
		}
	}
	for _, t := range o.Tags {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	var node yaml.Node
	if err := node.Encode(tags); err != nil {
		return fmt.Errorf("write tags: %w", err)
	}
	node.Style = yaml.FlowStyle
	set(spec, "tags", &node)
	return nil
}

// valueOf returns the value of a mapping's key, nil when there is none.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// set replaces or adds a key of a mapping.
func set(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}
