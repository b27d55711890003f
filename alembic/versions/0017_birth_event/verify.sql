-- Read only. Revision 0017 made rows and no object: there is none to compare.
select;
