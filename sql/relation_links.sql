-- Which vectors belong to which parents, many to many; an ordinary table, written by the user.
CREATE TABLE "{schema}"."{table}_links"(
  parent {type} NOT NULL REFERENCES "{parent}"("{key}") ON DELETE {action} ON UPDATE CASCADE,
  vector {vector_type} NOT NULL REFERENCES "{table}_content"("{column}") ON DELETE CASCADE ON UPDATE CASCADE,
  PRIMARY KEY(parent, vector)) WITHOUT ROWID;
CREATE INDEX "{schema}"."quire_{id}_links" ON "{table}_links"(vector, parent);
